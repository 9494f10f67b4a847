# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump as an ELF core that nobody wrote: the same memory, the same notes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from crashext.dumps import Dump, open_dump, open_source
from crashext.errors import CorruptDump, MissingMemory
from crashext.repair.headers import Headers, Mapping
from crashext.repair.view.elf_image import ElfImage
from tests.cli.test_cli import SAMPLES, TRUTHS

NAMES = sorted(path.name for path in TRUTHS)
PAGE = 4096


def path_of(name: str) -> Path:
    return SAMPLES / name


def image_of(dump: Dump, path: Path, mappings: tuple[Mapping, ...] = ()) -> ElfImage:
    bits = 32 if dump.arch == "i386" else 64
    headers = Headers(dump.arch, dump.byte_order, bits, dump.notes, mappings=mappings)
    return ElfImage(dump, headers, [str(path)])


def page(dump: Dump, paddr: int) -> bytes | None:
    try:
        return dump.read(paddr, PAGE)
    except (MissingMemory, CorruptDump):
        return None


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_same_memory_and_notes(name: str) -> None:
    with open_dump(path_of(name)) as dump:
        image = image_of(dump, path_of(name))
        core = open_source(image)
        assert (core.format, core.arch) == ("elf", dump.arch)
        assert [(n.name, n.type, n.desc) for n in core.notes] == [
            (n.name, n.type, n.desc) for n in dump.notes
        ]
        pages = [p for ram in dump.ram for p in range(ram.start, ram.end, PAGE)]
        for paddr in random.Random(5).sample(pages, min(len(pages), 3000)):
            assert page(core, paddr) == page(dump, paddr), hex(paddr)


def test_any_part_of_it_can_be_read() -> None:
    path = path_of("ovmf-kaslr.kdump")
    with open_dump(path) as dump:
        image = image_of(dump, path)
        end = min(image.size, 4 << 20)
        whole = image.pread(0, end)
        assert len(whole) == end
        dice = random.Random(7)
        for _ in range(200):
            start = dice.randrange(end)
            size = dice.randrange(end - start)
            assert image.pread(start, size) == whole[start : start + size]
        assert image.pread(image.size - 5, 100) == image.pread(image.size - 5, 5)
        assert image.pread(image.size + 5, 100) == b""


def test_the_image_of_the_kernel_is_shown_where_it_is_mapped() -> None:
    path = path_of("ovmf-kaslr.kdump")
    with open_dump(path) as dump:
        start = dump.stored[0].start
        mapped = Mapping(0xFFFF_8000_1234_0000, start, 2 * PAGE)
        core = open_source(image_of(dump, path, (mapped,)))
        segment = next(s for s in core.header.segments if s.p_vaddr == mapped.vaddr)
        assert segment.p_paddr == start
        assert page(core, start) == page(dump, start)


def test_its_identity_is_that_of_files_and_headers(tmp_path: Path) -> None:
    path = tmp_path / "guest"
    path.write_bytes(path_of("ovmf-kaslr.kdump").read_bytes())
    with open_dump(path) as dump:
        first, again = image_of(dump, path), image_of(dump, path)
        assert first.identity() == again.identity()
        other = image_of(dump, path, (Mapping(1 << 40, dump.stored[0].start, PAGE),))
        assert other.identity() != first.identity()
        with path.open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"\x55")
        assert again.identity() != image_of(dump, path_of("ovmf-kaslr.kdump")).identity()
