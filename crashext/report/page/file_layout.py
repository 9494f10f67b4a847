# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies where in the dump's own file, and its picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ...dumps.base import Dump
from ...dumps.elf import ElfDump
from ...dumps.elf_types import PT_LOAD, PT_NOTE, Segment
from ...dumps.kdump import KdumpDump
from ...text import counted, size_text
from . import svg
from .words import short, span

_MOST_SEGMENTS = 60
_WIDTH, _HEIGHT, _BAR = 1200.0, 70.0, 40.0
_LEAST = 0.012  # of the width
_LETTER = 6.7
_PHDR, _SHDR = {32: 32, 64: 56}, {32: 40, 64: 64}


class FilePart(NamedTuple):
    """Bytes ``[offset, offset + size)`` of the file (flattened: of the image rebuilt from it).

    ``kind`` is ``head``, ``notes``, ``index`` or ``data``.
    """

    offset: int
    size: int
    kind: str
    name: str
    about: str


def layout_of(dump: Dump) -> list[FilePart]:
    """The parts of a kdump or ELF file, by offset; empty for a format without such parts."""
    if isinstance(dump, KdumpDump):
        parts = list(_of_kdump(dump))
    elif isinstance(dump, ElfDump):
        parts = list(_of_elf(dump))
    else:
        return []
    end = max(part.offset + part.size for part in parts)
    parts.append(FilePart(end, dump.source.size - end, "head", "the rest", "behind all of these"))
    return sorted(part for part in parts if part.size > 0)


def _of_kdump(dump: KdumpDump) -> Iterator[FilePart]:
    header, block, end = dump.header, dump.header.block_size, dump.source.size
    yield FilePart(0, block, "head", "header", f"disk_dump_header, version {header.header_version}")
    yield FilePart(block, header.sub_hdr_size * block, "head", "sub-header", "kdump_sub_header")
    yield FilePart(header.offset_note, header.size_note, "notes", "notes",
                   f"{len(dump.notes)} ELF notes: CPU states")  # fmt: skip
    yield FilePart(header.offset_vmcoreinfo, header.size_vmcoreinfo, "notes", "VMCOREINFO",
                   "the kernel's own description")  # fmt: skip
    size = header.bitmap_blocks * block
    halves = 2 if header.two_bitmaps else 1
    names = ("bitmap of pages that exist", "bitmap of dumped pages")
    for index in range(halves):
        start = header.bitmap_offset + index * size // 2
        yield FilePart(start, size // halves, "index", names[index],
                       f"one bit for each of {header.max_mapnr} page frames")  # fmt: skip
    table = dump.descriptors
    count = len(table) // 24
    yield FilePart(table.start, len(table), "index", "page descriptors",
                   f"{count} of 24 bytes: where each page is and in what size")  # fmt: skip
    packed = "as they are" if dump.compression == "none" else f"{dump.compression}, page by page"
    yield FilePart(table.stop, end - table.stop, "data", "page data", packed)


def _of_elf(dump: ElfDump) -> Iterator[FilePart]:
    header, early = dump.header, dump.displaced
    segments = [s for s in islice(header.segments, 4096) if s.p_offset != header.absent]
    yield FilePart(0, min(header.e_phoff, 64), "head", "ELF header", f"{header.bits}-bit core")
    yield FilePart(header.e_phoff, header.e_phnum * _PHDR[header.bits], "head", "program headers",
                   counted(header.e_phnum, "segment"))  # fmt: skip
    if header.e_shoff and header.e_shnum:
        yield FilePart(header.e_shoff, header.e_shnum * _SHDR[header.bits], "head",
                       "section headers", counted(header.e_shnum, "section"))  # fmt: skip
    for each in [s for s in segments if s.p_type == PT_NOTE][:4]:
        yield FilePart(each.p_offset, each.p_filesz, "notes", "PT_NOTE",
                       f"{counted(len(dump.notes), 'note')}: CPU states, VMCOREINFO")  # fmt: skip
    loads = [s for s in segments if s.p_type == PT_LOAD and s.p_filesz]
    for each in loads[:_MOST_SEGMENTS]:
        yield FilePart(each.p_offset - early, each.p_filesz, "data", "PT_LOAD", _memory(each))
    rest = loads[_MOST_SEGMENTS:]
    if rest:
        first = min(s.p_offset for s in rest)
        last = max(s.p_offset + s.p_filesz for s in rest)
        yield FilePart(first - early, last - first, "data", "PT_LOAD",
                       f"{len(rest)} more segments")  # fmt: skip


def _memory(segment: Segment) -> str:
    words = f"guest-physical {span(segment.p_paddr, segment.p_paddr + segment.p_filesz)}"
    more = segment.p_memsz - segment.p_filesz
    return f"{words}, {size_text(more)} more left out" if more > 0 else words


def file_picture(parts: Sequence[FilePart]) -> ET.Element:
    """A bar from the file's first byte to its last; small parts are wider than they are."""
    about = "; ".join(f"{part.name} at {part.offset:#x}" for part in parts[:12])
    root = svg.picture(_WIDTH, _HEIGHT, "file", "The file, from its first byte to its last", about)
    total = sum(part.size for part in parts)
    shares = [max(part.size / total, _LEAST) for part in parts]
    x = 0.0
    for part, share in zip(parts, shares, strict=True):
        width = share / sum(shares) * _WIDTH
        tip = f"{part.name}: {span(part.offset, part.offset + part.size)}, {size_text(part.size)}"
        svg.rect(root, (x, 4, max(width - 2, 1), _BAR), f"filepart {part.kind}", tip)
        words = short(part.name, 40)
        if len(words) * _LETTER < width:
            svg.text(root, x, _BAR + 22, words, "name")
        x += width
    return root
