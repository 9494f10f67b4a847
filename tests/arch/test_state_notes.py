# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes of the vCPUs in a migration stream; real ones against QEMU's: tests/dumps/test_captures."""

from __future__ import annotations

from pathlib import Path

import pytest

from crashext import open_dump
from crashext.arch import architecture_of, notes_of
from crashext.arch.i386 import I386

SAMPLES = Path(__file__).parents[2] / "sample_dumps"


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("mapped-ram.qevm.zst", [("CORE", 1, 336)] * 2 + [("QEMU", 0, 440)] * 2),
        ("stream-arm64.qevm.zst", [("CORE", 1, 392)] * 2),
        ("stream-xbzrle.qevm.zst", [("CORE", 1, 336), ("QEMU", 0, 440)]),
    ],
)
def test_a_stream_has_the_notes_of_a_dump(name: str, sizes: list[tuple[str, int, int]]) -> None:
    with open_dump(SAMPLES / name) as dump:
        assert dump.notes == ()
        assert [(n.name, n.type, len(n.desc)) for n in notes_of(dump)] == sizes
        pids = [int.from_bytes(n.desc[32:36], "little") for n in notes_of(dump) if n.type]
        assert pids == list(range(1, len(pids) + 1))


@pytest.mark.parametrize("name", ["mapped-ram.qevm.zst", "stream-arm64.qevm.zst"])
def test_a_state_that_lacks_something_gives_none(name: str) -> None:
    with open_dump(SAMPLES / name) as dump:
        states, arch = dump.cpu_states, architecture_of(dump.arch)
    assert arch is not None
    wanted = arch.state_notes(states)
    used = 0
    for field in states[0]:
        others = {key: value for key, value in states[0].items() if key != field}
        found = arch.state_notes([others])
        assert found in ((), arch.state_notes(states[:1]))
        used += found == ()
    assert wanted and used >= 3
    assert arch.state_notes([{**states[0], "env.regs": b"", "env.xregs": b""}]) == ()
    assert arch.state_notes([{}]) == () and arch.state_notes([]) == ()


def test_a_vcpu_in_32_bit_code() -> None:
    arch = architecture_of("aarch64")
    assert arch is not None
    state = {
        "env.xregs": bytes(8 * 32),
        "env.pc": (0xBAD).to_bytes(8, "big"),
        "cpsr": (0x60000010).to_bytes(4, "big"),
        "env.regs": b"".join((0x100 + n).to_bytes(4, "big") for n in range(16)),
    }
    (note,) = arch.state_notes([state])
    (cpu,) = arch.cpus([note])
    assert (cpu.pc, cpu.mode) == (0x10F, "32-bit code")
    assert int.from_bytes(note.desc[112:120], "little") == 0x100


def test_others_say_nothing_and_notes_of_the_file_come_first() -> None:
    assert I386().state_notes([{"env.regs": b""}]) == ()
    with open_dump(SAMPLES / "ovmf-4cpu.flat") as dump:
        assert notes_of(dump) is dump.notes
