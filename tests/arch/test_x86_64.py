# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's CPU note and interrupt gates, byte by byte."""

from __future__ import annotations

import struct

from crashext.arch.x86_64.idt import gate_handler
from crashext.arch.x86_64.registers import cpu_states
from crashext.dumps.base import Note


def note(size: int = 440, **fields: int) -> Note:
    """A note whose every 8 bytes hold their own offset, but for ``fields`` (at_<offset>)."""
    desc = bytearray(b"".join(struct.pack("<Q", offset) for offset in range(0, size, 8)))
    struct.pack_into("<II", desc, 0, 1, size)
    for name, value in fields.items():
        struct.pack_into("<Q", desc, int(name.removeprefix("at_")), value)
    return Note("QEMU", 0, bytes(desc), 0)


def test_registers_are_read_from_their_places() -> None:
    (cpu,) = cpu_states((note(),))
    assert (cpu.rsp, cpu.rip) == (56, 136)
    assert (cpu.gs_base, cpu.idt_base) == (264, 384)
    assert (cpu.cr0, cpu.cr3, cpu.cr4) == (392, 416, 424)
    assert cpu.kernel_gs_base == 432


def test_qemu_before_3_0_wrote_no_kernel_gs_base() -> None:
    (cpu,) = cpu_states((note(432),))
    assert cpu.kernel_gs_base is None


def test_short_and_foreign_notes_are_left_out() -> None:
    assert cpu_states((Note("QEMU", 0, bytes(100), 0), Note("CORE", 1, bytes(440), 0))) == ()


def test_zeroed_notes_are_empty() -> None:
    (cpu,) = cpu_states((Note("QEMU", 0, bytes(440), 0),))
    assert cpu.empty


def test_roots_of_a_vcpu_with_page_table_isolation() -> None:
    (user,) = cpu_states((note(at_416=0x1234_1000 | 0x803),))
    assert user.roots(1 << 40) == (0x1234_0000, 0x1234_1000)
    (kernel,) = cpu_states((note(at_416=0x1234_0000 | 0x3),))
    assert kernel.roots(1 << 40) == (0x1234_0000,)


def test_modes() -> None:
    real, flat, user = cpu_states(
        (
            note(at_392=0x60000010),
            note(at_392=0x11),
            note(at_392=0x80050033, at_152=0x33, at_160=1 << 21),
        )
    )
    assert real.mode == "real mode"
    assert flat.mode == "protected mode without paging"
    assert user.mode == "user mode"


def test_gate() -> None:
    handler = 0xFFFFFFFF81A00990
    gate = struct.pack("<HHHHII", 0x0990, 0x10, 0x8E00, 0x81A0, 0xFFFFFFFF, 0)
    assert gate_handler(gate) == handler
    assert gate_handler(bytes(16)) is None
