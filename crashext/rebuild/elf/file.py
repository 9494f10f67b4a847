# SPDX-License-Identifier: GPL-3.0-or-later
"""The file itself: headers, the image's sections, then sections that are in no memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...repair.write.sink import Data, Sink
from ..layout import PER_CPU, Kind, Section
from .headers import (
    PF_R,
    PT_LOAD,
    PT_NOTE,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_NOTE,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
    Packer,
    ProgramHeader,
    SectionHeader,
    Target,
)
from .symtab import SymbolTable

_PAGE = 4096
_CHUNK = 1 << 20
#: sh_type and sh_flags. What is freed after boot has a hole for its bytes: crash, gdb and drgn
#: know a vmlinux by sections that have contents, whatever they are.
_FORMS: dict[Kind, tuple[int, int]] = {
    "text": (SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR),
    "rodata": (SHT_PROGBITS, SHF_ALLOC),
    "data": (SHT_PROGBITS, SHF_ALLOC | SHF_WRITE),
    "note": (SHT_NOTE, SHF_ALLOC),
    "freed text": (SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR),
    "freed": (SHT_PROGBITS, SHF_ALLOC | SHF_WRITE),
    "bss": (SHT_NOBITS, SHF_ALLOC | SHF_WRITE),
    "gap": (SHT_NOBITS, SHF_ALLOC | SHF_WRITE),
}


@dataclass(frozen=True, slots=True)
class Extra:
    """A section that is in no memory, such as ``.debug_info``."""

    name: str
    parts: Sequence[Data]


@dataclass(frozen=True, slots=True)
class _Load:
    """Sections side by side, which all have their bytes in the file, or all have none."""

    sections: Sequence[Section]
    offset: int
    kept: bool

    @property
    def start(self) -> int:
        """The linked address of the first."""
        return self.sections[0].start

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.sections[-1].end - self.start

    @property
    def room(self) -> int:
        """Bytes in the file, a hole for sections that tools want to have some."""
        ends = (s.end for s in self.sections if self.kept or _FORMS[s.kind][0] != SHT_NOBITS)
        return max(ends, default=self.start) - self.start

    @property
    def headers(self) -> Iterator[SectionHeader]:
        """Of each section."""
        for section in self.sections:
            kind, flags = _FORMS[section.kind]
            offset = self.offset + section.start - self.start
            yield SectionHeader(section.name, kind, flags, section.start, offset, section.size)

    @property
    def flags(self) -> int:
        """p_flags: what any section of it is; of a hole no rights say that nothing is there."""
        flags = 0
        for section in self.sections:
            flags |= _FORMS[section.kind][1]
        rights = PF_R | (flags & SHF_WRITE) << 1 | (flags & SHF_EXECINSTR) >> 2
        return rights if self.kept else 0


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into the file: the image's sections, its symbols, and sections besides."""

    target: Target
    sections: Sequence[Section]
    symbols: SymbolTable
    extras: Sequence[Extra]


def write_file(
    sink: Sink,
    contents: Contents,
    read: Callable[[int, int], Data],
    keeps: Callable[[Section], bool],
) -> None:
    """Write a vmlinux, the bytes of whose sections ``read(run-time address, size)`` gives.

    Of those that ``keeps`` refuses no bytes are written: their program headers give no rights.

    Raises:
        OSError: writing failed.
    """
    target, sections, symbols = contents.target, contents.sections, contents.symbols
    packer = Packer(target)
    most = len(sections) + 1  # a program header for each at most, and one for the notes
    loads = list(_loads(sections, keeps, packer.ehsize + most * packer.phentsize))
    image = {header.name: header for load in loads for header in load.headers}
    headers = [SectionHeader("", 0), *(image[section.name] for section in sections)]
    for load in loads:
        if load.kept:
            _copy(sink, load, read)
    end = max((load.offset + load.room for load in loads), default=0)
    for extra in contents.extras:
        end = _append(sink, headers, end, SectionHeader(extra.name, SHT_PROGBITS), extra.parts)
    strings = len(headers) + 1
    entry = 24 if target.word == 8 else 16
    table = SectionHeader(
        ".symtab", SHT_SYMTAB, link=strings, info=symbols.locals, align=8, entsize=entry
    )
    end = _append(sink, headers, end, table, [symbols.symbols])
    end = _append(sink, headers, end, SectionHeader(".strtab", SHT_STRTAB), [symbols.strings])
    _finish(sink, packer, headers, loads, end)


def _loads(
    sections: Sequence[Section], keeps: Callable[[Section], bool], start: int
) -> Iterator[_Load]:
    """Runs of sections for a program header each, those with bytes placed in the file."""
    runs: list[tuple[bool, list[Section]]] = []
    for section in sections:
        kept = keeps(section)
        if not runs or runs[-1][0] != kept or runs[-1][1][-1].end != section.start:
            runs.append((kept, []))
        runs[-1][1].append(section)
    # drgn takes the first and the last for the image's ends: a per-CPU area at 0 comes second.
    if len(runs) > 2 and runs[0][1][0].name == PER_CPU and runs[0][1][0].run is None:
        runs[:2] = runs[1], runs[0]
    offset = start
    for kept, run in runs:
        # Congruent to the address, as who maps the file by pages wants it.
        offset += (run[0].start - offset) % _PAGE
        load = _Load(run, offset, kept)
        yield load
        offset += load.room


def _copy(sink: Sink, load: _Load, read: Callable[[int, int], Data]) -> None:
    for section in load.sections:
        run, at = section.run, load.offset + section.start - load.start
        assert run is not None
        for start in range(0, section.size, _CHUNK):
            size = min(_CHUNK, section.size - start)
            sink.write(at + start, read(run + start, size))


def _append(
    sink: Sink, headers: list[SectionHeader], end: int, header: SectionHeader, parts: Sequence[Data]
) -> int:
    """Write one more section behind ``end`` and note its header; its end."""
    offset, size = -(-end // 8) * 8, sum(map(len, parts))
    sink.join(offset, parts)
    headers.append(header._replace(offset=offset, size=size))
    return offset + size


def _finish(
    sink: Sink, packer: Packer, headers: list[SectionHeader], loads: Sequence[_Load], end: int
) -> None:
    """The names of the sections, their headers, and what comes first in the file."""
    names, places = b"", []
    for name in (*(header.name for header in headers), ".shstrtab"):
        places.append(len(names))
        names += name.encode() + b"\0"
    end = _append(sink, headers, end, SectionHeader(".shstrtab", SHT_STRTAB), [names])
    shoff = -(-end // 8) * 8
    packed = map(packer.section_header, headers, places)
    sink.write(shoff, b"".join(packed))
    segments = [*map(_segment, loads), *_notes(headers)]
    head = packer.file_header(len(segments), shoff, len(headers))
    sink.write(0, head + b"".join(map(packer.program_header, segments)))
    sink.finish(shoff + len(headers) * packer.shentsize)


def _segment(load: _Load) -> ProgramHeader:
    # BFD complains of sections with contents that no program header has bytes for.
    size = load.size
    return ProgramHeader(PT_LOAD, load.flags, load.offset, load.start, load.room, size, _PAGE)


def _notes(headers: Sequence[SectionHeader]) -> Iterator[ProgramHeader]:
    for header in headers:
        if header.type == SHT_NOTE:
            size = header.size
            yield ProgramHeader(PT_NOTE, PF_R, header.offset, header.addr, size, size, 4)
            return
