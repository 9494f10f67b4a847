# SPDX-License-Identifier: GPL-3.0-or-later
"""Where VMCOREINFO is looked for first, in memory that is dear to read."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from crashext.arch.aarch64 import AArch64
from crashext.arch.riscv64 import RiscV64
from crashext.dumps.base import Range
from crashext.locate import search
from crashext.locate.ways import near_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crashext.locate.context import Context

MIB = 1 << 20
MRS = struct.pack("<I", 0xD5384113)  # mrs x19, sp_el0


class Source:
    """Counts what was asked for while reads were said to be far apart."""

    open = False

    @contextmanager
    def scattered(self) -> Iterator[None]:
        self.open = True
        yield
        self.open = False


class Memory:
    """RAM of zeros, but for what ``texts`` have: a kernel's code every 512 bytes."""

    def __init__(self, source: Source, texts: list[range]) -> None:
        self._source, self._texts = source, texts
        self.bytes_read = 0

    def block(self, paddr: int, size: int) -> bytearray:
        assert self._source.open
        self.bytes_read += size
        block = bytearray(size)
        for at in range(0, size, 512):
            if any(paddr + at in text for text in self._texts):
                block[at : at + 4] = MRS
        return block


def context(ram: list[Range], texts: list[range]) -> Context:
    source = Source()
    facts = SimpleNamespace(
        dump=SimpleNamespace(ram=tuple(ram)), memory=Memory(source, texts), sparing=source,
        arch=AArch64(), swept=None,
    )  # fmt: skip
    return cast("Context", facts)


def windows(ram: list[Range], texts: list[range]) -> tuple[list[Range], Context]:
    facts = context(ram, texts)
    return list(near_code._windows(facts, {})), facts


def test_behind_each_text_and_where_the_highest_zone_starts() -> None:
    ram = [Range(0x4000_0000, 6 << 30)]
    text = range(0x5120_0000, 0x5120_0000 + 15 * MIB)
    found, facts = windows(ram, [text])
    assert found[0] == Range(4 << 30, (4 << 30) + near_code._WINDOW)
    assert len(found) == 2 and facts.swept == 1
    end = found[1].start - near_code._BEHIND.start
    assert text.stop <= end <= text.stop + 1 * MIB


def test_modules_in_an_initrd_are_no_kernel() -> None:
    ram = [Range(0x4000_0000, 0x6000_0000)]
    found, facts = windows(ram, [range(0x4800_0000, 0x4803_0000)])
    assert found == [Range(0x4000_0000, 0x4000_0000 + near_code._WINDOW)] and facts.swept == 0


def test_the_text_of_a_small_kernel_is_found_in_a_second_sweep() -> None:
    ram = [Range(0x4000_0000, 0x6000_0000)]
    found, facts = windows(ram, [range(0x4021_0000, 0x403D_0000)])
    assert len(found) == 2 and facts.swept == 1


def test_ranges_of_ram_are_looked_at_only_so_many() -> None:
    """A dump can have thousands, each of which would cost as much."""
    ram = [Range(at << 30, (at << 30) + 64 * MIB) for at in range(8, 40)]
    found, _ = windows(ram, [])
    assert len(found) == near_code._MOST_ZONES


def test_little_is_read() -> None:
    ram = [Range(0x4000_0000, 0x4000_0000 + (16 << 30))]
    found, facts = windows(ram, [range(0x5120_0000, 0x5220_0000)])
    assert len(found) == 2 and facts.swept == 1
    assert cast("Any", facts.memory).bytes_read <= ram[0].size // 200


def test_a_large_guest_is_not_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_code, "_SWEEPS", ((4 * MIB, 100),))
    found, facts = windows([Range(0, 1 << 40)], [range(1 << 30, (1 << 30) + 16 * MIB)])
    assert len(found) == 1 and facts.swept is None  # the highest zone's: no text was reached


@pytest.mark.parametrize("ram", [[Range(5, 99 * MIB)], [Range(0, 9), Range(64 * MIB, 96 * MIB)]])
def test_each_place_comes_once(ram: list[Range]) -> None:
    places = list(near_code._places(tuple(ram), 4 * MIB))
    wanted = [p for r in ram for p in range(0, r.end, 4 * MIB) if p >= r.start]
    assert sorted(places) == wanted


@pytest.mark.parametrize(
    ("instruction", "held"),
    [
        (0x10017973, True),  # csrrci s2, sstatus, 2
        (0x10016073, True),  # csrsi sstatus, 2
        (0x100024F3, True),  # csrr s1, sstatus
        (0x00000073, False),  # ecall
        (0xC01027F3, False),  # rdtime a5, which programs do
    ],
)
def test_instructions_that_only_a_kernel_has(instruction: int, held: bool) -> None:
    pattern = RiscV64().kernel_code
    assert pattern is not None
    assert bool(pattern.fullmatch(struct.pack("<I", instruction))) is held


class Image(SimpleNamespace):
    pass


@pytest.mark.parametrize(
    ("running", "moved", "swept", "pc", "enough"),
    [
        ([0], 0x1000, None, 1 << 63 | 1, True),
        ([0], 0, None, 1 << 63 | 1, False),  # the kernel before it may have the same addresses
        ([0], 0, 2, 1 << 63 | 1, True),
        ([], 0x1000, 1, 1 << 63 | 1, False),  # a vCPU runs in another kernel
        ([], 0x1000, 1, 0x4000, True),
        ([], 0x1000, 2, 0x4000, False),  # which of them the programs run under nobody knows
    ],
)
def test_when_enough_was_searched(
    monkeypatch: pytest.MonkeyPatch,
    running: list[int], moved: int, swept: int | None, pc: int, enough: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(search, "confidence", lambda image: "strong")
    monkeypatch.setattr(search, "settled", lambda images: False)
    said: list[str] = []
    facts = SimpleNamespace(
        sparing=object(), swept=swept, warn=said.append, cpus=[SimpleNamespace(pc=pc)],
        arch=SimpleNamespace(kernel_code=object(), is_image_vaddr=lambda vaddr: vaddr >> 63 == 1),
    )  # fmt: skip
    image = Image(running=running, kaslr_offset=moved, is_capture=False, knows_little=False)
    assert search._likely(cast("Any", facts), cast("Any", [image])) is enough
    assert bool(said) is enough
    image.knows_little = True  # a capture kernel: the one that crashed is looked for
    assert search._likely(cast("Any", facts), cast("Any", [image])) is False
