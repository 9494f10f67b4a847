# SPDX-License-Identifier: GPL-3.0-or-later
"""riscv64: notes, page-table entries, kernel_map, image headers, and guests made of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from crashext.arch import architectures_of
from crashext.arch.base import Paging
from crashext.arch.riscv64 import RiscV64, layout
from crashext.arch.riscv64.paging import PageTables, decode
from crashext.arch.riscv64.registers import cpu_states
from crashext.dumps.base import Note, Range
from crashext.locate import Location, locate
from tests.arch.ram import Ram
from tests.locate.guest import DATA, RODATA, SIZE, Guest, Kernel, MemoryDump, write_vmlinux

LINK = 0xFFFF_FFFF_8000_0000
OFFSET = 0x2320_0000
TEXT_OFFSET = 0x2000  # what precedes _text
PAGE, MEGA = 4096, 2 << 20
VALID, READ, WRITE, EXECUTE, NAPOT = 1, 2, 4, 8, 1 << 63
SV39, SV48, SV57 = (layout.SATP_MODES[mode] for mode in (8, 9, 10))


def entry(paddr: int, flags: int) -> int:
    return paddr >> 12 << 10 | flags


def note(pc: int, *x: int) -> Note:
    registers = [pc, *x, *[0] * (31 - len(x))]
    return Note("CORE", 1, bytes(112) + struct.pack("<32Q", *registers) + bytes(8), 0)


def test_registers_are_read_from_their_places() -> None:
    (cpu,) = cpu_states((note(0xAA, 1, 2, 3, 4),))
    assert (cpu.pc, cpu.ra, cpu.sp, cpu.gp, cpu.tp) == (0xAA, 1, 2, 3, 4)
    assert not cpu.empty
    assert cpu.roots(1 << 40) == ()
    assert cpu.mode == "user mode or firmware"
    assert cpu_states((note(LINK),))[0].mode == "kernel"


def test_short_foreign_and_zeroed_notes() -> None:
    assert cpu_states((Note("CORE", 1, bytes(375), 0), Note("QEMU", 1, bytes(376), 0))) == ()
    assert cpu_states((Note("CORE", 1, bytes(376), 0),))[0].empty


@pytest.mark.parametrize("paging", [SV39, SV48, SV57], ids=lambda p: f"sv{p.va_bits}")
def test_walks_of_any_depth(paging: Paging) -> None:
    ram = Ram()
    for level in range(paging.levels - 1):
        shift = 12 + 9 * (paging.levels - 1 - level)
        last = level == paging.levels - 2
        flags = VALID | READ | EXECUTE if last else VALID
        to = 0x8020_0000 if last else 0x2000 + level * PAGE
        ram.u64s[0x1000 + level * PAGE + (LINK >> shift & 511) * 8] = entry(to, flags)
    tables = PageTables(ram, 0x1000, paging)
    assert tables.translate(LINK + 0x1234) == 0x8020_1234
    assert tables.translate(LINK + MEGA) is None
    assert tables.translate(1 << (paging.va_bits - 1)) is None  # not an address
    (run,) = tables.image_runs(None)
    assert (run.vaddr, run.paddr, run.size) == (LINK, 0x8020_0000, MEGA)
    assert (run.writable, run.executable) == (False, True)


def test_entries() -> None:
    rights = VALID | READ | WRITE
    assert decode(0, 12, 0) is None
    assert decode(entry(PAGE, VALID), 21, 0) == PAGE
    assert decode(entry(PAGE, VALID), 12, 0) is None  # a table where no level is left
    assert decode(entry(PAGE, rights), 21, 0) is None  # not aligned to what it maps
    assert decode(entry(MEGA, VALID | WRITE), 21, 0) is None  # reserved
    leaf = decode(entry(MEGA, rights), 21, 0)
    assert leaf is not None and not isinstance(leaf, int)
    assert (leaf.paddr, leaf.writable, leaf.executable) == (MEGA, True, False)


def test_sixteen_entries_alike_map_64_kib() -> None:
    marked = entry(0x18000, VALID | READ | NAPOT)
    for number in (0, 5, 15):
        leaf = decode(marked, 12, number * PAGE)
        assert not isinstance(leaf, int | None)
        assert leaf.paddr == 0x10000 + number * PAGE
    assert decode(entry(0x14000, VALID | READ | NAPOT), 12, 0) is None


def test_tables_that_name_themselves_end() -> None:
    ram = Ram()
    for index in range(512):
        ram.u64s[0x1000 + index * 8] = entry(0x1000, VALID)
    tables = PageTables(ram, 0x1000, SV39)
    assert tables.translate(LINK) is None
    assert tables.image_runs(None) == ()
    assert ram.reads < 64 * 512 + 100


def test_a_table_that_the_dump_lacks_is_lost() -> None:
    ram = Ram(end=0x2000)
    ram.u64s[0x1000 + (LINK >> 30 & 511) * 8] = entry(1 << 40, VALID)
    tables = PageTables(ram, 0x1000, SV39)
    assert tables.lost(LINK)
    assert not tables.lost(0)


@pytest.mark.parametrize(
    "words",
    [
        (LINK, 0, 0x80200000, 1 << 24, 7, 0xFF60 << 48, LINK - 0x80200000),
        (0xFF60 << 48, LINK + OFFSET, OFFSET, 0x80200000, 1 << 24, 7, LINK + OFFSET - 0x80200000),
        (0xFF60 << 48, LINK, 0x80200000, 1 << 24, 7, LINK - 0x80200000, 0),
        (LINK, 0x80200000, 1 << 24, 7, LINK - 0x80200000, 0, 0),
    ],
    ids=["7.2", "6.6", "5.17", "5.14"],
)
def test_kernel_map_of_any_version(words: tuple[int, ...]) -> None:
    found = layout.kernel_map(struct.pack("<7Q", *words))
    assert found is not None
    assert (found.phys_addr, found.va_pa_offset) == (0x80200000, 7)
    assert found.voffset == (words[1] if words[0] != LINK else LINK) - 0x80200000
    assert found.page_offset == (0xFF60 << 48 if 0xFF60 << 48 in words else None)


def test_kernel_map_that_contradicts_itself_is_none() -> None:
    assert layout.kernel_map(bytes(56)) is None
    assert layout.kernel_map(struct.pack("<7Q", 1, LINK, 0, 0x80200000, 1, 1, LINK)) is None


def header(size: int = 0xB35000, flags: int = 0, magic: bytes = b"RISCV\0\0\0RSC\x05") -> bytes:
    return struct.pack("<2I4QQ", 0, 0, 0x200000, size, flags, 2, 0) + magic + bytes(4)


def test_image_headers() -> None:
    size = RiscV64().image_size
    assert size(header()) == 0xB35000
    for wrong in (
        header(size=0), header(size=1 << 40), header(flags=1), header()[:60],
        header(magic=b"RISCV\0\0\0RSC\x06"),
    ):  # fmt: skip
        assert size(wrong) is None


class RiscvKernel(Kernel):
    """The same image, under this architecture's names; what precedes _text is the header."""

    def symbols(self) -> dict[str, int]:
        symbols = super().symbols()
        symbols["swapper_pg_dir"] = symbols.pop("init_top_pgt")
        del symbols["phys_base"]
        text = self.link + TEXT_OFFSET
        moved = {"_start": self.link, "_text": text, "_stext": text}
        return {**symbols, **moved, "kernel_map": self.link + DATA + 0x6000}


RAM_START = 0x8000_0000


def booted(kernel: RiscvKernel, pc: int | None = None) -> MemoryDump:
    guest = Guest(ram=RAM_START + (256 << 20))
    text, rodata = kernel.body()
    guest.write(kernel.text_paddr, header()[:64] + text[64:])
    guest.write(kernel.paddr("__start_rodata"), rodata)
    virt = LINK + kernel.kaslr
    words = (0xFFFF_FFD6 << 32, virt, kernel.kaslr, kernel.text_paddr, SIZE,
             (0xFFFF_FFD6 << 32) - RAM_START, virt - kernel.text_paddr)  # fmt: skip
    guest.u64(kernel.paddr("elfcorehdr_addr"), -1)
    guest.write(kernel.paddr("kernel_map"), struct.pack("<7Q", *words))
    root = kernel.paddr("swapper_pg_dir")
    guest.u64(root + (virt >> 30 & 511) * 8, entry(root + PAGE, VALID))
    for number in range(SIZE // MEGA):
        at = virt + number * MEGA
        rights = EXECUTE if number * MEGA < RODATA else WRITE if number * MEGA >= DATA else 0
        paddr = kernel.text_paddr + number * MEGA
        guest.u64(root + PAGE + (at >> 21 & 511) * 8, entry(paddr, VALID | READ | rights))
    direct_map = entry(RAM_START, VALID | READ | WRITE)  # a page of 1 GiB
    guest.u64(root + (words[0] >> 30 & 511) * 8, direct_map)
    dump = guest.dump()
    dump.arch = "riscv64"
    dump.ram = (Range(RAM_START, guest.ram),)
    dump.notes = (note(virt + 0x3000 if pc is None else pc, 0, virt + DATA + 0x100, 0, 1),)
    return dump


@pytest.fixture(params=[0, OFFSET], ids=["linked", "kaslr"])
def kernel(request: pytest.FixtureRequest) -> RiscvKernel:
    return RiscvKernel(text_paddr=0x8020_0000, kaslr=request.param, link=LINK)


def found(dump: MemoryDump, kernel: RiscvKernel, tmp_path: Path, *, cpus: bool = True) -> Location:
    vmlinux = write_vmlinux(kernel, tmp_path / "vmlinux")
    location = locate(dump, vmlinux=vmlinux, use_cpu_state=cpus)
    assert location.found, location.reason
    assert (location.arch, location.phys_base) == ("riscv64", None)
    text = LINK + kernel.kaslr + TEXT_OFFSET
    assert (location.text_vaddr, location.text_paddr) == (text, 0x8020_0000 + TEXT_OFFSET)
    assert location.kernels[0]["id"] == "0x80200000"
    assert location.kaslr_offset == kernel.kaslr
    assert (location.page_table_levels, location.va_bits, location.page_size) == (3, 39, 4096)
    return location


def test_a_guest_is_found_by_its_vmlinux(kernel: RiscvKernel, tmp_path: Path) -> None:
    location = found(booted(kernel), kernel, tmp_path)
    assert location.confidence == "certain"
    assert "vcpu_registers" in location.confirmed_by
    assert "kernel_map" in location.confirmed_by
    assert location.pages_read <= 64


def test_a_guest_without_cpu_state_is_found(kernel: RiscvKernel, tmp_path: Path) -> None:
    found(booted(kernel), kernel, tmp_path, cpus=False)


def test_crash_is_said_to_lack_options(kernel: RiscvKernel, tmp_path: Path) -> None:
    location = found(booted(kernel), kernel, tmp_path)
    assert location.crash_args == ()
    assert any("crash has no option" in warning for warning in location.warnings)
    assert [type(a) for a in architectures_of("riscv64")] == [RiscV64]


def test_bent_tables_prove_nothing(kernel: RiscvKernel, tmp_path: Path) -> None:
    dump = booted(kernel)
    root = kernel.paddr("swapper_pg_dir")
    at = LINK + kernel.kaslr
    for number in range(SIZE // MEGA):
        paddr = root + PAGE + (at + number * MEGA >> 21 & 511) * 8
        struct.pack_into("<Q", dump.pages[paddr // PAGE], paddr % PAGE, entry(root, VALID))
    location = locate(dump, vmlinux=write_vmlinux(kernel, tmp_path / "vmlinux"))
    assert not location.found


def test_a_header_forged_into_every_block_is_no_kernel() -> None:
    dump = booted(RiscvKernel(text_paddr=0x8020_0000, kaslr=0, link=LINK))
    dump.pages.clear()
    for start in range(RAM_START, dump.ram[0].end, MEGA):
        dump.pages[start // PAGE] = bytearray(header(size=1 << 20) + bytes(PAGE - 64))
    assert not locate(dump).found
