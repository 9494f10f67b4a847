# SPDX-License-Identifier: GPL-3.0-or-later
"""i386: notes, page tables with and without PAE, and guests made of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from crashext.arch import architectures_of
from crashext.arch.i386 import layout
from crashext.arch.i386.paging import PageTables
from crashext.arch.i386.registers import cpu_states
from crashext.dumps.base import Note
from crashext.locate import locate
from tests.arch.ram import Ram
from tests.locate.guest import DATA, RODATA, SIZE, Guest, Kernel, MemoryDump, write_vmlinux

PAGE_OFFSET = 0xC000_0000
PAGE, MEGA = 4096, 1 << 20
PRESENT, WRITE, LARGE, NX = 1, 2, 1 << 7, 1 << 63
PAE_BIT, PAGING, LONG_CODE = 1 << 5, 0x8005_0033, 1 << 21


def note(
    cr3: int, *, cr4: int = 0x6B0, cr0: int = PAGING, eip: int = 0xD900_0000, cs_flags: int = 0
) -> Note:
    desc = bytearray(440)
    struct.pack_into("<II", desc, 0, 1, 440)
    struct.pack_into("<Q", desc, 136, eip)
    struct.pack_into("<III", desc, 152, 0x60, 0xFFFFFFFF, cs_flags)
    struct.pack_into("<Q", desc, 392, cr0)
    struct.pack_into("<QQ", desc, 416, cr3, cr4)
    return Note("QEMU", 0, bytes(desc), 0)


def test_what_the_control_registers_say() -> None:
    pae, plain, flat, long, real = cpu_states(
        (
            note(0x1DBE020),
            note(0x1EEA000, cr4=0x690 & ~PAE_BIT),
            note(0, cr0=0x11),
            note(0x1000, cs_flags=LONG_CODE),
            note(0, cr0=0x6000_0010),
        )
    )
    assert (pae.paging, pae.roots(1 << 32)) == (layout.PAE, (0x1DBE020,))
    assert (plain.paging, plain.roots(1 << 32)) == (layout.NO_PAE, (0x1EEA000,))
    assert flat.paging is long.paging is real.paging is None
    assert [cpu.mode for cpu in (pae, flat, long, real)] == [
        "ring 0", "protected mode without paging", "64-bit code", "real mode",
    ]  # fmt: skip
    assert pae.registers == {"eip": 0xD900_0000, "cr3": 0x1DBE020}


def test_the_kernels_own_table_with_page_table_isolation() -> None:
    (cpu,) = cpu_states((note(0x1EEB000),))
    assert cpu.roots(1 << 32) == (0x1EEA000, 0x1EEB000)


def test_pae_tables() -> None:
    ram = Ram()
    ram.u64s |= {
        0x1018: 0x2000 | PRESENT | 0x20,  # QEMU marks it as accessed
        0x2000: 2 * MEGA | PRESENT | LARGE | NX,
        0x2008: 0x3000 | PRESENT | WRITE,
        0x3008: 0x1_2345_6000 | PRESENT | WRITE,
    }
    tables = PageTables(ram, 0x1000, layout.PAE)
    assert tables.translate(PAGE_OFFSET + 0x1234) == 2 * MEGA + 0x1234
    assert tables.translate(PAGE_OFFSET + 2 * MEGA + PAGE + 5) == 0x1_2345_6005
    assert tables.translate(PAGE_OFFSET + 2 * MEGA) is None
    assert tables.translate(0x1_C000_0000) is None  # no such address


def test_a_top_level_table_of_64_bit_mode_is_none_of_pae() -> None:
    ram = Ram()
    ram.u64s |= {0x1018: 0x2000 | 0x67, 0x2000: 2 * MEGA | PRESENT | LARGE}
    assert PageTables(ram, 0x1000, layout.PAE).translate(PAGE_OFFSET) is None


def test_tables_without_pae() -> None:
    ram = Ram()
    ram.u32s |= {
        0x1C00: 4 * MEGA | PRESENT | LARGE | 1 << 13,
        0x1C04: 0x2000 | PRESENT,
        0x2004: 0x8000 | PRESENT | WRITE,
    }
    tables = PageTables(ram, 0x1000, layout.NO_PAE)
    assert tables.translate(PAGE_OFFSET + 0x1234) == (1 << 32) + 4 * MEGA + 0x1234
    assert tables.translate(PAGE_OFFSET + 4 * MEGA + PAGE + 5) == 0x8005
    assert tables.translate(PAGE_OFFSET + 8 * MEGA) is None


def test_tables_that_name_themselves_end() -> None:
    ram = Ram()
    for index in range(1024):
        ram.u32s[0x1000 + index * 4] = 0x1000 | PRESENT
    PageTables(ram, 0x1000, layout.NO_PAE).image_runs(None)
    assert ram.reads < 100 * 1024


class Kernel32(Kernel):
    """The same image, under this architecture's names and with pointers of 32 bits."""

    def symbols(self) -> dict[str, int]:
        symbols = super().symbols()
        symbols["swapper_pg_dir"] = symbols.pop("init_top_pgt")
        symbols["high_memory"] = symbols.pop("phys_base")
        return {**symbols, "max_low_pfn": self.link + DATA + 0x3060}


LINK, MOVED, LOW = PAGE_OFFSET + (16 << 20), 0x1800_0000, 0x1FFD_F000


def booted(*, pae: bool, state: bool = True) -> tuple[MemoryDump, Kernel32]:
    kernel = Kernel32(text_paddr=(16 << 20) + MOVED, kaslr=MOVED, link=LINK)
    guest = Guest(ram=512 << 20)
    text, rodata = kernel.body()
    guest.write(kernel.paddr("_text"), text)
    guest.write(kernel.paddr("__start_rodata"), rodata)
    guest.write(kernel.paddr("high_memory"), struct.pack("<I", PAGE_OFFSET + LOW))
    guest.write(kernel.paddr("max_low_pfn"), struct.pack("<I", LOW // PAGE))
    guest.u64(kernel.paddr("elfcorehdr_addr"), -1)
    root, table = kernel.paddr("swapper_pg_dir"), kernel.paddr("swapper_pg_dir") + PAGE
    size = 2 << 20 if pae else 4 << 20
    if pae:
        guest.u64(root + 24, table | PRESENT)
    for number in range((512 << 20) // size):
        paddr = number * size
        inside = kernel.text_paddr <= paddr < kernel.text_paddr + DATA
        entry = paddr | PRESENT | LARGE | (0 if inside else WRITE)
        if pae:
            nx = 0 if kernel.text_paddr <= paddr < kernel.text_paddr + RODATA else NX
            guest.u64(table + number * 8, entry | nx)
        else:
            guest.write(root + 0xC00 + number * 4, struct.pack("<I", entry))
    assert kernel.text_paddr % size == SIZE % size == 0
    dump = guest.dump()
    dump.arch = "i386"
    cr4 = 0x6B0 if pae else 0x690
    dump.notes = (note(root, cr4=cr4, eip=kernel.run("_text") + 64),) if state else ()
    return dump, kernel


@pytest.mark.parametrize("state", [True, False], ids=["cpu", "nocpu"])
@pytest.mark.parametrize("pae", [True, False], ids=["pae", "plain"])
def test_a_guest_is_found_by_its_vmlinux(*, pae: bool, state: bool, tmp_path: Path) -> None:
    dump, kernel = booted(pae=pae, state=state)
    location = locate(dump, vmlinux=write_vmlinux(kernel, tmp_path / "vmlinux"))
    assert location.found, location.reason
    assert (location.arch, location.phys_base, location.phys_offset) == ("i386", None, None)
    assert (location.text_vaddr, location.text_paddr) == (LINK + MOVED, kernel.text_paddr)
    assert location.kimage_voffset == PAGE_OFFSET
    assert (location.page_table_levels, location.va_bits) == (3 if pae else 2, 32)
    assert location.crash_args == (f"--kaslr={MOVED:#x}", "--machdep", "page_offset=0xc0000000")
    assert "high_memory" in location.confirmed_by
    assert location.confidence == "certain"
    assert location.pages_read <= 64


def test_such_a_dump_may_be_of_a_64_bit_guest_too() -> None:
    assert [a.name for a in architectures_of("i386")] == ["x86_64", "i386"]
    assert [a.name for a in architectures_of("x86_64")] == ["x86_64"]
