# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer of ELF core dumps of a guest, 64-bit as QEMU's always are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from .elf_format import ET_CORE, PT_LOAD, PT_NOTE, SHT_STRTAB, ElfFormat

PAGE = 4096
_ABSENT = (1 << 64) - 1  # p_offset of memory that is not in the file, as QEMU's begin/length has it
_SECTION_NAMES = b"\0.shstrtab\0"


class Segment(NamedTuple):
    """A stretch of described memory ``[start, end)`` and what its PT_LOAD says of it.

    ``vaddr`` is p_vaddr at ``start``; QEMU has it equal to the physical address, the
    kernel's /proc/vmcore the kernel's own. ``flags`` is p_flags.
    """

    start: int
    end: int
    vaddr: int
    flags: int = 0


@dataclass(slots=True)
class _Load:
    """A PT_LOAD: pages in a row, and how far the described memory reaches."""

    segment: Segment
    start: int
    end: int
    pages: list[bytes] = field(default_factory=list)
    absent: bool = False

    def parted(self) -> Iterator[_Load]:
        """The pages that are held, and what lies behind them, each on its own."""
        middle = self.start + PAGE * len(self.pages)
        if self.pages:
            yield _Load(self.segment, self.start, middle, self.pages)
        if middle < self.end:
            yield _Load(self.segment, middle, self.end, absent=True)

    def header(self, elf: ElfFormat, offset: int) -> bytes:
        """The program header."""
        vaddr = self.segment.vaddr + self.start - self.segment.start
        filesz, memsz = PAGE * len(self.pages), self.end - self.start
        return elf.phdr(
            PT_LOAD,
            flags=self.segment.flags,
            offset=offset if filesz or not self.absent else _ABSENT,
            vaddr=vaddr,
            paddr=self.start,
            filesz=filesz,
            memsz=memsz,
        )


def write_core(
    file: BinaryIO,
    elf: ElfFormat,
    *,
    notes: bytes,
    segments: Iterable[Segment],
    pages: Mapping[int, bytes],
    section_headers: bool = True,
) -> None:
    """Write a core of ``segments`` that holds only ``pages`` (by physical address).

    Each run of pages is a PT_LOAD whose p_memsz reaches on to the next run: what lies
    between is described, and not in the file. With ``section_headers`` they come before
    the program headers, as QEMU has them since 7.2. Without them, where segments cut short
    would be taken for makedumpfile's, what lies between is a segment of its own, absent.
    """
    loads = [load for segment in segments for load in _loads(segment, pages)]
    if not section_headers:
        loads = [part for load in loads for part in load.parted()]
    shnum = 2 if section_headers else 0
    phnum = 1 + len(loads)
    phoff = elf.ehdr_size + shnum * elf.shdr_size
    notes_at = phoff + phnum * elf.phdr_size
    offsets, data = _placed(loads, notes_at + len(notes))
    shoff = elf.ehdr_size if shnum else 0
    file.write(
        elf.ehdr(ET_CORE, phoff=phoff, phnum=phnum, shoff=shoff, shnum=shnum, shstrndx=shnum // 2)
    )
    if section_headers:
        file.write(bytes(elf.shdr_size))
        names_at = notes_at + len(notes) + len(data)
        file.write(elf.shdr(1, SHT_STRTAB, offset=names_at, size=len(_SECTION_NAMES)))
    file.write(elf.phdr(PT_NOTE, offset=notes_at, filesz=len(notes), memsz=len(notes)))
    for load, offset in zip(loads, offsets, strict=True):
        file.write(load.header(elf, offset))
    file.write(notes + data + (_SECTION_NAMES if section_headers else b""))


def _loads(segment: Segment, pages: Mapping[int, bytes]) -> Iterator[_Load]:
    """One stretch as PT_LOADs that begin wherever a run of held pages does."""
    start, end = segment.start, segment.end
    load = _Load(segment, start, end)
    for paddr in sorted(p for p in pages if start <= p and p + PAGE <= end):
        if paddr != load.start + PAGE * len(load.pages):
            load.end = paddr
            yield load
            load = _Load(segment, paddr, end)
        load.pages.append(pages[paddr])
    yield load


def _placed(loads: Sequence[_Load], at: int) -> tuple[list[int], bytes]:
    """File offset of each segment's data, and the data; what is there already is shared.

    A kernel's own dump describes its text twice, by each of its addresses.
    """
    runs = [b"".join(load.pages) for load in loads]
    data = bytearray()
    for run in sorted(runs, key=len, reverse=True):
        if run not in data:
            data += run
    return [at + data.index(run) for run in runs], bytes(data)
