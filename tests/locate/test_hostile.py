# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged and broken memory: bounded work, the right answer, clean output."""

from __future__ import annotations

import json
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from crashext.arch import architecture_of
from crashext.arch.base import Run
from crashext.locate import locate
from crashext.locate.context import Context
from crashext.locate.memory import PhysMemory
from crashext.locate.ways.page_tables import image_placements
from tests.cost import assert_cheap
from tests.locate.guest import MAP, PAGE, Guest, Kernel, write_vmlinux
from tests.locate.test_states import assert_found, booted, find


def test_planted_vmcoreinfo_is_never_believed(tmp_path: Path) -> None:
    """Texts that contradict the tables they name are listed as refuted, not followed."""
    kernel = Kernel()
    guest = booted(kernel)
    guest.cpus.clear()
    for index in range(2000):
        forged = replace(kernel, kaslr=0x2000000 + index % 200 * (2 << 20), release="forged")
        guest.write(0x10000000 + index * PAGE, forged.vmcoreinfo())
    assert_found(find(guest, kernel, tmp_path), kernel)
    alone = find(guest, None, tmp_path)
    assert not alone.found  # nothing here that a program could not have written
    assert [k["id"] for k in alone.kernels] == [f"{kernel.text_paddr:#x}"]
    assert len(alone.evidence) < 40


def test_work_does_not_follow_the_claims(tmp_path: Path) -> None:
    """Texts that each name tables of their own, 40 in each: few are walked, none is kept."""
    guest = Guest(ram=4 << 30)
    kernel = Kernel()
    lower = struct.pack("<512Q", *[(0x9800000 + n % 40 * PAGE) | 3 for n in range(512)])
    leaf = struct.pack("<512Q", *[(n * 7919 << 12 & 0xFFFFF000) | 3 for n in range(512)])
    for number in range(40):
        guest.write(0x9800000 + number * PAGE, leaf)
    for number in range(3000):
        top = 0x10000000 + number * 3 * PAGE
        phys_base = top - (64 << 20) & -(2 << 20)
        text = MAP + (32 << 20)
        forged = f"OSRELEASE=x{number}\nSYMBOL(swapper_pg_dir)={top - phys_base + MAP:x}\n"
        forged += f"SYMBOL(_stext)={text:x}\nNUMBER(phys_base)={phys_base}\nKERNELOFFSET=0\n"
        entries = [0] * 512
        entries[510] = entries[511] = (top + PAGE) | 3
        entries[16] = phys_base + (32 << 20) | 0xE3
        guest.write(top, struct.pack("<512Q", *entries))
        middle = list(struct.unpack("<512Q", lower))
        middle[510] = middle[511] = (top + PAGE) | 3
        middle[16] = phys_base + (32 << 20) | 0xE3
        guest.write(top + PAGE, struct.pack("<512Q", *middle))
        guest.write(top + 2 * PAGE, forged.encode())
    guest.boot(replace(kernel, text_paddr=0x4000000))
    dump = guest.dump()
    location = locate(dump)
    assert not location.found
    assert dump.reads < 3000 * 12
    assert_found(find(guest, replace(kernel, text_paddr=0x4000000), tmp_path),
                 replace(kernel, text_paddr=0x4000000))  # fmt: skip


def test_much_read_only_data_is_held_once(tmp_path: Path) -> None:
    """64 MiB that the tables call read-only data, each page another: no second copy is made."""
    guest = Guest()
    root, pud, pmd = 0x1000000, 0x1001000, 0x1002000
    guest.u64(root + 511 * 8, pud | 3)
    guest.u64(pud + 510 * 8, pmd | 3)
    for index in range(40):
        guest.u64(pmd + (8 + index) * 8, 0x8000000 + (index << 21) | 1 << 63 | 0x81)
    guest.run_cpu(Kernel(), cr3=root)
    for pfn in range(0x8000, 0x8000 + (80 << 20) // PAGE):
        guest.pages[pfn] = bytearray(b"\x07" * PAGE)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    location = find(guest, None, tmp_path)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert location.pages_read > 16_000
    assert peak < 100 << 20


def test_text_alone_finds_nothing(tmp_path: Path) -> None:
    guest = Guest()
    guest.write(0x100000, Kernel().vmcoreinfo())
    location = find(guest, None, tmp_path)
    assert not location.found
    assert location.phys_base is None
    assert any(e.held is False for e in location.evidence)


def test_planted_banners_do_not_lead_astray(tmp_path: Path) -> None:
    kernel = Kernel()
    guest = booted(kernel)
    guest.cpus.clear()
    for pfn in range(0x4000, 0x4000 + 50_000):
        guest.pages.setdefault(pfn, bytearray(kernel.banner.ljust(PAGE, b"\0")))
    for start in range(0x10000000, 0x18000000, 2 << 20):
        guest.write(start + kernel.paddr("linux_banner") - kernel.text_paddr, kernel.banner)
    assert_found(find(guest, kernel, tmp_path), kernel)


def test_a_note_of_another_kernel_yields_to_the_live_one(tmp_path: Path) -> None:
    kernel = Kernel()
    guest = booted(kernel)
    guest.note = replace(kernel, text_paddr=0x7000000, release="stale").vmcoreinfo()
    location = find(guest, kernel, tmp_path)
    assert_found(location, kernel)
    assert any(e.name == "vmcoreinfo-note" and e.held is False for e in location.evidence)


def test_page_tables_that_loop_or_leave_ram(tmp_path: Path) -> None:
    kernel = Kernel()
    vmlinux = write_vmlinux(kernel, tmp_path / "vmlinux")
    for entry in (0x9000000 | 3, 0xFFFFFFFFFF000 | 3, 0xFEE00000 | 3, (1 << 64) - 1):
        guest = Guest()
        guest.write(0x9000000, struct.pack("<512Q", *[entry] * 512))
        guest.run_cpu(kernel, cr3=0x9000000)
        dump = guest.dump()
        location = locate(dump, vmlinux=vmlinux)
        assert not location.found
        # The banner probe reads a line in each 2 MiB of the 1 GiB, the test for encryption up
        # to 128 pages; the walks add a bounded few.
        assert dump.reads < 512 + 128 + 160


def test_escapes_in_a_banner_reach_no_terminal(tmp_path: Path) -> None:
    kernel = Kernel(release="6.1\x1b]0;owned\x07")
    guest = booted(kernel)
    text = json.dumps(find(guest, kernel, tmp_path).to_json(), ensure_ascii=False)
    assert "\x1b" not in text
    assert "\\u001b" not in json.dumps(text)


def test_a_huge_binary_vmcoreinfo_note(tmp_path: Path) -> None:
    kernel = Kernel()
    guest = booted(kernel)
    guest.note = b"OSRELEASE=\xff\x00" + bytes(range(256)) * 40_000
    assert_found(find(guest, kernel, tmp_path), kernel)


def test_reads_do_not_grow_with_ram(tmp_path: Path) -> None:
    kernel = Kernel()
    vmlinux = write_vmlinux(kernel, tmp_path / "vmlinux")
    counts = set()
    for ram in (512 << 20, 64 << 30):
        guest = booted(kernel)
        guest.ram = ram
        counts.add(locate(guest.dump(), vmlinux=vmlinux).pages_read)
    assert len(counts) == 1
    assert counts.pop() <= 64


def test_many_vcpus_stay_within_the_page_budget(tmp_path: Path) -> None:
    kernel = Kernel()
    guest = booted(kernel)
    for index in range(256):
        root = 0x10000000 + index * PAGE
        guest.write(root, bytes(guest.pages[kernel.root // PAGE]))
        guest.run_cpu(kernel, cr3=root)
    location = find(guest, kernel, tmp_path)
    assert_found(location, kernel)
    assert location.pages_read <= 64


def test_a_window_full_of_junk_mappings(tmp_path: Path) -> None:
    """512 page-table pages of random 4 KiB mappings: few are looked at, none believed."""
    guest = Guest()
    kernel = Kernel()
    root, pud, pmd = 0x9000000, 0x9001000, 0x9002000
    guest.u64(root + 511 * 8, pud | 3)
    guest.u64(pud + 510 * 8, pmd | 3)
    for index in range(512):
        guest.u64(pmd + index * 8, 0xA000000 + index * PAGE | 3)
        guest.write(
            0xA000000 + index * PAGE,
            struct.pack("<512Q", *[(index * 7919 + i * 31 << 12) | 3 for i in range(512)]),
        )
    guest.run_cpu(kernel, cr3=root, rip=MAP)
    location = find(guest, None, tmp_path)
    assert not location.found


class CountedRun(Run):
    """A run that counts how often it is asked where it belongs."""

    asked: ClassVar[int] = 0

    @property
    def voffset(self) -> int:
        CountedRun.asked += 1
        return (self.vaddr - self.paddr) & (1 << 64) - 1


def test_tables_of_thousands_of_placements_are_sorted_in_one_pass() -> None:
    guest = Guest(ram=1 << 40)
    arch = architecture_of("x86_64")
    assert arch is not None
    context = Context(guest.dump(), PhysMemory(guest.dump().read), arch)
    runs = [CountedRun(MAP + n * PAGE, (n << 21) + n * PAGE, PAGE, True, True) for n in range(9000)]
    placements = image_placements(context, runs)
    assert len(placements) == len(runs)
    assert CountedRun.asked <= 2 * len(runs)


@pytest.mark.parametrize(("count", "size"), [(1, 256 << 20), (64, 8 << 20), (8, 64 << 20)])
def test_planted_image_headers_cost_no_more_than_the_file_has(
    tmp_path: Path, count: int, size: int
) -> None:
    """Headers of arm64 images, as large as they may say, in memory that is a hole."""
    path = tmp_path / "planted.raw"
    header = struct.pack("<8x3Q24x4s4x", 0, size, 0, b"ARM\x64")
    with path.open("wb") as file:
        file.truncate(1 << 30)
        for number in range(count):
            file.seek(number * (16 << 20))
            file.write(header)
    assert "no kernel found" in assert_cheap(path, "physbase", "--format", "raw").out
