# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import struct

import pytest

from crashext.arch.aarch64 import AArch64, layout
from crashext.arch.aarch64.paging import PageTables
from crashext.arch.aarch64.registers import cpu_states
from crashext.arch.base import MASK64, Paging
from crashext.dumps.base import Note
from crashext.locate.memory import PAGE_SIZE, PhysMemory
from crashext.vmcoreinfo import parse

ROOT = 0x4100_0000
IMAGE = 0x4020_0000


class Tables:
    """Guest memory that page tables are written into."""

    def __init__(self, paging: Paging) -> None:
        self.paging = paging
        self.shift = paging.page_size.bit_length() - 1
        self.pages: dict[int, bytearray] = {}
        self._free = ROOT + (1 << 20)

    def u64(self, paddr: int, value: int) -> None:
        page = self.pages.setdefault(paddr // PAGE_SIZE, bytearray(PAGE_SIZE))
        struct.pack_into("<Q", page, paddr % PAGE_SIZE, value)

    def read(self, paddr: int, size: int) -> bytes:
        return bytes(self.pages.get(paddr // PAGE_SIZE, bytearray(PAGE_SIZE)))[:size]

    def map(self, vaddr: int, paddr: int, level: int = 1, flags: int = 0) -> None:
        """One entry of ``level``, 1 being the last, with the tables above it."""
        table, width = ROOT, self.shift - 3
        for above in range(self.paging.levels, level, -1):
            at = table + self._index(vaddr, above, width) * 8
            held = int.from_bytes(self.read(at & -PAGE_SIZE, PAGE_SIZE)[at % 4096 :][:8], "little")
            if not held:
                held = self._free | 3
                self._free += self.paging.page_size
                self.u64(at, held)
            table = held & ~0xFFF
        leaf = 3 if level == 1 else 1
        self.u64(table + self._index(vaddr, level, width) * 8, paddr | flags | leaf)

    def _index(self, vaddr: int, level: int, width: int) -> int:
        at = self.shift + (level - 1) * width
        if level < self.paging.levels:
            return vaddr >> at & ((1 << width) - 1)
        return self.paging.skipped + (vaddr >> at & ((1 << self.paging.va_bits - at) - 1))

    def walk(self) -> PageTables:
        return PageTables(PhysMemory(self.read), ROOT, self.paging)


@pytest.mark.parametrize("paging", layout.PAGINGS, ids=str)
def test_every_shape_of_tables_translates(paging: Paging) -> None:
    tables = Tables(paging)
    vaddr = (-(1 << (paging.va_bits - 1)) + 0x800_0000) & MASK64
    tables.map(vaddr, IMAGE, flags=0x700)  # inner shareable, accessed
    walk = tables.walk()
    assert walk.translate(vaddr + 0x123) == IMAGE + 0x123 | (3 << 50 if _lpa2(paging) else 0)
    assert walk.translate(vaddr + paging.page_size) is None
    assert walk.translate(vaddr & ((1 << paging.va_bits) - 1)) is None  # TTBR0's half


def test_a_cpu_with_fewer_bits_is_told_by_the_unused_part_of_the_table() -> None:
    """Pages of 64 KiB: built for 52 bits the kernel has entries for them, for 48 it leaves them."""
    fewer, more = (p for p in layout.PAGINGS if p.skipped or p[1:3] == (52, 64 << 10))
    image = 0xFFFF_B6C5_C520_0000
    tables = Tables(more)
    tables.map(image, IMAGE)
    memory = PhysMemory(tables.read)
    for paging in (fewer, more):
        assert PageTables(memory, ROOT, paging).translate(image) == IMAGE
    tables.map(0xFFF0_0000_4000_0000, 0x4000_0000)  # the linear map, where a CPU has 52
    memory = PhysMemory(tables.read)
    assert PageTables(memory, ROOT, fewer).translate(image) is None
    assert PageTables(memory, ROOT, fewer).image_runs(image) == ()
    assert PageTables(memory, ROOT, more).translate(image) == IMAGE


def _lpa2(paging: Paging) -> bool:
    """Bits 8 and 9 are address bits there."""
    return paging.va_bits == 52 and paging.page_size < 64 << 10


def test_levels_follow_from_the_bits() -> None:
    levels = {(p.page_size >> 10, p.va_bits): p.levels for p in layout.PAGINGS}
    # Linux arch/arm64/Kconfig, config PGTABLE_LEVELS.
    assert levels == {
        (4, 39): 3, (4, 48): 4, (4, 52): 5, (16, 36): 2, (16, 47): 3, (16, 48): 4, (16, 52): 4,
        (64, 42): 2, (64, 48): 3, (64, 52): 3,
    }  # fmt: skip


def test_runs_of_an_image_with_rights_and_a_hole() -> None:
    paging = layout.PAGINGS[0]
    tables, text = Tables(paging), 0xFFFF_8000_0801_0000
    for page in range(16):  # text, executable and read-only
        tables.map(text + page * 4096, IMAGE + 0x10000 + page * 4096, flags=1 << 7)
    for page in range(4):  # data behind a freed part
        tables.map(text + 0x40_0000 + page * 4096, IMAGE + 0x41_0000 + page * 4096, flags=1 << 53)
    tables.map(text + 0x400_0000, 0x5000_0000, flags=1 << 53)  # something else, far off
    first, second = tables.walk().image_runs(text)
    assert (first.vaddr, first.size, first.writable, first.executable) == (text, 1 << 16, 0, 1)
    assert (second.vaddr, second.writable, second.executable) == (text + 0x40_0000, 1, 0)
    assert first.voffset == second.voffset == text - IMAGE - 0x10000
    assert tables.walk().image_runs(None) == ()


def test_tables_that_point_at_themselves_end() -> None:
    tables = Tables(layout.PAGINGS[0])
    for index in range(512):
        tables.u64(ROOT + index * 8, ROOT | 3)
    walk = tables.walk()
    assert walk.translate(0xFFFF_8000_0801_0000) == ROOT + 0
    assert sum(run.size for run in walk.image_runs(0xFFFF_8000_0801_0000)) <= 258 << 20


@pytest.mark.parametrize(
    ("stext", "offset", "text"),
    [
        (0xFFFF_AD31_2C61_0000, 0x2D31_2460_0000, 0xFFFF_AD31_2C60_0000),
        (0xFFFF_8000_0818_0000, 0x17_0000, 0xFFFF_8000_0817_0000),
        (0xFFFF_8000_1008_1000, 0, 0xFFFF_8000_1008_0000),  # before 5.8
        (0xFFFF_8000_0801_0000, None, 0xFFFF_8000_0800_0000),
    ],
)
def test_text_follows_from_stext(stext: int, offset: int | None, text: int) -> None:
    told = f"SYMBOL(_stext)={stext:x}\n" + ("" if offset is None else f"KERNELOFFSET={offset:x}\n")
    assert AArch64().said_text(parse(told.encode())) == text


def test_shapes_in_the_order_that_vmcoreinfo_makes_likely() -> None:
    def first(text: str) -> Paging:
        return layout.said_pagings(parse(text.encode()))[0]

    assert first("PAGESIZE=4096\nNUMBER(VA_BITS)=52\nNUMBER(TCR_EL1_T1SZ)=0x10\n").levels == 4
    assert first("PAGESIZE=4096\nNUMBER(VA_BITS)=52\nNUMBER(tcr_el1_t1sz)=0xc\n").levels == 5
    assert first("PAGESIZE=65536\nNUMBER(VA_BITS)=42\n") == Paging(2, 42, 65536)
    assert first("PAGESIZE=16384\nNUMBER(VA_BITS)=47\n") == Paging(3, 47, 16384)


def test_vmemmap_without_vmcoreinfo() -> None:
    four, five = layout.PAGINGS[0], layout.PAGINGS[2]
    assert 0xFFFF_FC00_0000_0000 in layout.vmemmap_starts(48, four)  # a 6.1 kernel
    assert 0xFFFF_FDFF_FFE0_0000 in layout.vmemmap_starts(48, four)  # a 5.10 kernel
    assert layout.vmemmap_starts(52, four)[0] == 0xFFFF_C1FF_C000_0000  # 6.12 on either CPU
    assert layout.vmemmap_starts(52, five)[0] == 0xFFFF_C1FF_C000_0000


def test_the_linear_map_of_a_negative_memstart() -> None:
    """A kernel built for 52 bits on a CPU with 48, and one with KASLR: addresses of real guests."""
    assert layout.linear_base(-(1 << 52) & MASK64, 0xFFF1_0000_0000_0000) == 0xFFFF_0000_0000_0000
    base = layout.linear_base(-(1 << 48) & MASK64, 0xFFFF_EB80_8000_0000)
    assert (base + 0x4000_0000) & MASK64 == 0xFFFF_147F_C000_0000


def test_what_crash_adds_to_linear_addresses() -> None:
    """A 6.12 guest built for 52 bits on a CPU with 48: where crash finds its memory map."""
    memstart = 0xFFF0_EC3B_0000_0000
    added = layout.phys_offset_of(48, memstart)
    assert added == 0xFFFF_EC3B_0000_0000
    vaddr = 0xFFFF_13C5_5FEE_C100
    kernels = (vaddr - layout.linear_base(-(1 << 52) & MASK64, memstart)) & MASK64
    assert ((vaddr & ((1 << 48) - 1)) + added) & MASK64 == kernels == 0x5FEE_C100
    assert layout.phys_offset_of(48, 0x4000_0000) == 0x4000_0000


def test_the_bits_that_a_kernel_was_built_for() -> None:
    """By memstart_addr: with and without KASLR, which goes down to half of the linear map."""
    for memstart in (0xFFF0_EC3B_0000_0000, 0xFFF1_0000_4000_0000, 0xFFF1_7FFF_0000_0000):
        assert layout.built_bits(memstart, 48) == 52
    for memstart in (0, 0x4000_0000, 0xFFFF_EB80_8000_0000, 0xFFFF_8000_0000_0000):
        assert layout.built_bits(memstart, 48) == 48
        assert layout.built_bits(memstart, 52) == 52


def prstatus(**registers: int) -> Note:
    desc = bytearray(392)
    places = {"fp": 112 + 29 * 8, "lr": 112 + 30 * 8, "sp": 360, "pc": 368, "pstate": 376}
    for name, value in registers.items():
        struct.pack_into("<Q", desc, places[name], value)
    return Note("CORE", 1, bytes(desc), 0)


def test_vcpus() -> None:
    notes = (
        prstatus(pc=0xFFFF_8000_0801_0000, sp=0xFFFF_8000_0A00_3F00, pstate=0x6000_03C5),
        prstatus(pc=0x40_1000, sp=0x7FFF_0000, pstate=0),
        prstatus(),
        prstatus(pc=0xFFFF_8000_0801_0000, sp=1, pstate=0x6000_03C9),
        Note("CORE", 1, b"short", 0),
        Note("CORE", 2, bytes(528), 0),
    )
    cpus = cpu_states(notes)
    assert [cpu.mode for cpu in cpus] == ["EL1", "user mode", "user mode", "EL2"]
    assert [cpu.empty for cpu in cpus] == [False, False, True, False]
    assert cpus[0].registers == {
        "pc": 0xFFFF_8000_0801_0000, "sp": 0xFFFF_8000_0A00_3F00, "pstate": 0x6000_03C5
    }  # fmt: skip
    assert not cpus[0].known and cpus[0].paging is None and cpus[0].roots(1 << 32) == ()


@pytest.mark.parametrize("size", [0, 1 << 40, (256 << 20) + 1])
def test_an_image_size_that_none_has(size: int) -> None:
    assert AArch64().image_size(_header(size, 0xA)) is None


def test_the_image_header() -> None:
    size = AArch64().image_size
    assert size(_header(0x2040000, 0xA)) == 0x2040000
    assert size(_header(0x2040000, 0xB)) is None  # big-endian
    assert size(_header(0x2040000, 0xA)[:-5]) is None


def _header(size: int, flags: int) -> bytes:
    return struct.pack("<8x3Q", 0, size, flags) + bytes(24) + b"ARM\x64" + bytes(4)
