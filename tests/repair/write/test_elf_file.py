# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing ELF cores: headers by pyelftools, addresses, what is left out, many segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from crashext import open_dump
from crashext.dumps.base import Note
from crashext.dumps.elf_types import PT_LOAD, Segment
from crashext.errors import UnsupportedDump
from crashext.repair.elf_layout import core_of, header_size, pack
from crashext.repair.headers import Headers, Mapping
from crashext.repair.write.segments import joined
from tests.dumps.writers.kdump_writer import Kdump

from .memory import assert_same_memory, headers_of, page_of, write

NOTES = (Note("CORE", 1, b"r" * 336, 0), Note("VMCOREINFO", 0, b"OSRELEASE=6.1\n", 0))


def guest(path: Path, **facts: Any) -> Path:
    """RAM of 32 MiB with text and zeros, a part left out, and a flash high up."""
    held = {n: (b"page %06d " % n).ljust(64, b".") * 64 for n in range(0, 8192, 5)}
    zeros = {n: bytes(4096) for n in range(8192) if n % 5 and not 3000 <= n < 4000}
    held = {n: page for n, page in held.items() if not 3000 <= n < 4000}
    excluded = frozenset(range(3000, 4000))
    image = Kdump(held | zeros | {0xFFFFF: b"flash".ljust(4096)}, excluded=excluded, **facts)
    path.write_bytes(image.write())
    return path


def program_headers(path: Path) -> list[Any]:
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        return [segment.header for segment in ELFFile(file).iter_segments()]


@pytest.mark.parametrize(
    ("arch", "bits", "order", "machine"),
    [("x86_64", 64, "little", "EM_X86_64"), ("i386", 32, "little", "EM_386"),
     ("s390x", 64, "big", "EM_S390"), ("ppc64le", 64, "little", "EM_PPC64"),
     ("aarch64", 64, "little", "EM_AARCH64"), ("riscv64", 64, "little", "EM_RISCV")],
)  # fmt: skip
def test_headers_by_pyelftools(
    tmp_path: Path, arch: str, bits: int, order: Literal["little", "big"], machine: str
) -> None:
    from elftools.elf.elffile import ELFFile

    with open_dump(guest(tmp_path / "in")) as dump:
        write(dump, tmp_path / "out", "elf", Headers(arch, order, bits, NOTES))
    with (tmp_path / "out").open("rb") as file:
        elf = ELFFile(file)
        header = elf.header
        assert (header.e_type, header.e_machine) == ("ET_CORE", machine)
        assert (elf.elfclass, elf.little_endian) == (bits, order == "little")
        assert header.e_phoff == header.e_ehsize == (64 if bits == 64 else 52)
        assert header.e_phentsize == (56 if bits == 64 else 32)
        assert (header.e_shoff, header.e_shnum, header.e_flags) == (0, 0, 0)
        segments: list[Any] = list(elf.iter_segments())
        note, *loads = segments
        assert note.header.p_type == "PT_NOTE"
        assert [(n["n_name"], n["n_descsz"]) for n in note.iter_notes()] == [
            ("CORE", 336), ("VMCOREINFO", 14)
        ]  # fmt: skip
        first = loads[0].header
        assert note.header.p_offset + note.header.p_filesz <= first.p_offset
        assert first.p_offset % 4096 == 0 and {x.header.p_align for x in loads} == {0}
        assert [(x.header.p_paddr, x.header.p_filesz, x.header.p_memsz) for x in loads] == [
            (0, 3000 * 4096, 3000 * 4096), (3000 * 4096, 0, 1000 * 4096),
            (4000 * 4096, 4192 * 4096, 4192 * 4096), (0xFFFFF000, 4096, 4096),
        ]  # fmt: skip
        assert [x.header.p_vaddr for x in loads] == [x.header.p_paddr for x in loads]
        assert loads[2].data()[:12] == b"page 004000 "
    with open_dump(tmp_path / "out") as new:
        assert (new.arch, new.complete, new.warnings) == (arch, True, ())


def test_zeros_are_holes_and_the_memory_comes_back(tmp_path: Path) -> None:
    with open_dump(guest(tmp_path / "in")) as dump:
        written = write(dump, tmp_path / "out", "elf")
        with open_dump(tmp_path / "out") as new:
            assert assert_same_memory(dump, new) == 7193
    assert (written.pages, written.zero_pages) == (7193, 7192 - 1439 + 0)
    assert written.bytes_written < 1440 * 4096 + 20_000


def test_mappings_give_virtual_addresses(tmp_path: Path) -> None:
    image = Mapping(0xFFFFFFFF81000000, 0x800000, 0x400000)
    direct = Mapping(0xFFFF888000000000, 0, 0x1800000)
    with open_dump(guest(tmp_path / "in")) as dump:
        write(dump, tmp_path / "out", "elf", headers_of(dump, mappings=(image, direct)))
        with open_dump(tmp_path / "out") as new:
            assert assert_same_memory(dump, new) == 7193
    _, *loads = program_headers(tmp_path / "out")
    left_out, end = 3000 * 4096, image.paddr + image.size
    assert [(x.p_vaddr, x.p_paddr, x.p_memsz) for x in loads] == [
        (direct.vaddr, 0, image.paddr),
        (image.vaddr, image.paddr, left_out - image.paddr),
        (image.vaddr + left_out - image.paddr, left_out, end - left_out),
        (direct.vaddr + end, end, 4000 * 4096 - end),
        (direct.vaddr + 4000 * 4096, 4000 * 4096, 0x1800000 - 4000 * 4096),
        (0, 0x1800000, 0x800000),
        (0, 0xFFFFF000, 4096),
    ]
    assert [x.p_filesz for x in loads[2:4]] == [0, 0]


def test_many_ranges_need_the_first_section(tmp_path: Path) -> None:
    from elftools.elf.elffile import ELFFile

    count = 66_000
    headers = Headers("x86_64", "little", 64, NOTES)
    core, (notes, _) = core_of(headers, "any"), headers.notes_area()
    place = header_size(core, count + 1)
    end = place + len(notes)
    loads = (Segment(PT_LOAD, 0, end + n, 0, n << 13, 1, 1, 0) for n in range(count))
    image = pack(core, loads, count, (place, len(notes))) + notes + b"x" * count
    (tmp_path / "out").write_bytes(image)
    with open_dump(tmp_path / "out", max_memory=1 << 30) as new:
        assert (new.header.e_phnum, new.header.e_shnum) == (count + 1, 1)
        assert len(new.ram) == count and new.ram[-1].start == (count - 1) << 13
        assert new.vmcoreinfo == b"OSRELEASE=6.1\n" and new.complete
    with (tmp_path / "out").open("rb") as file:
        assert ELFFile(file).num_segments() == count + 1


def test_more_lost_ranges_than_headers_join() -> None:
    ranges = [(n * 100, n * 100 + 10) for n in range(1000)]
    kept = joined(ranges, 50)
    assert len(kept) <= 50
    assert all(any(a <= start and end <= b for a, b in kept) for start, end in ranges)
    assert joined(ranges, 1000) == ranges and joined([], 0) == []
    assert joined(ranges, 0) == [(0, 99910)]


def test_what_does_not_go_into_32_bits(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(Kdump({0x100000: b"x" * 4096}).write())
    with (
        open_dump(tmp_path / "in") as dump,
        pytest.raises(UnsupportedDump, match="does not go into an ELF core of 32 bits"),
    ):
        write(dump, tmp_path / "out", "elf", Headers("i386", "little", 32, ()))


def test_an_architecture_without_a_number(tmp_path: Path) -> None:
    with (
        open_dump(guest(tmp_path / "in")) as dump,
        pytest.raises(UnsupportedDump, match="no ELF core for the architecture vax"),
    ):
        write(dump, tmp_path / "out", "elf", Headers("vax", "little", 64, ()))


def test_memory_that_no_page_boundary_ends(tmp_path: Path) -> None:
    from tests.dumps.writers.elf_writer import Elf, Load

    loads = [Load(0x1000, b"a" * 0x1800), Load(0x5010, b"b" * 0x123)]
    (tmp_path / "in").write_bytes(Elf(loads).write())
    with open_dump(tmp_path / "in") as dump:
        write(dump, tmp_path / "out", "elf")
        with open_dump(tmp_path / "out") as new:
            assert new.ram == dump.ram
            assert new.read(0x1000, 0x1800) == b"a" * 0x1800
            assert page_of(new, 0x5010, 0x123) == b"b" * 0x123


def test_every_second_page_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crashext.repair.write import elf_file

    monkeypatch.setattr(elf_file, "_SPARE", 64)
    held = {n: (b"page %06d " % n).ljust(64, b".") * 64 for n in range(400)}
    image = bytearray(Kdump(held, codec="lzo").write())
    (tmp_path / "in").write_bytes(image)
    with open_dump(tmp_path / "in") as dump:
        at = dump.header.descriptors_offset
    for pfn in range(100, 400, 2):
        image[at + 24 * pfn + 12 : at + 24 * pfn + 16] = b"\x07\0\0\0"  # no such flags
    (tmp_path / "in").write_bytes(image)
    with open_dump(tmp_path / "in") as dump:
        written = write(dump, tmp_path / "out", "elf")
        with open_dump(tmp_path / "out") as new:
            pages = [page_of(new, n * 4096) for n in range(400)]
            assert pages[:100] == [held[n] for n in range(100)] and pages[399] == held[399]
            assert all(page == held[n] or page == "excluded" for n, page in enumerate(pages))
            assert written.unreadable == pages.count("excluded") >= 150
            assert written.pages == 400 - written.unreadable
    assert written.addresses == [n * 4096 for n in range(100, 116, 2)]
