# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny stand-in for a debug vmlinux: a few of its symbols, its banner, its notes.

The bytes are the real ones at their real addresses, in sections of the real names;
only what lies between is left out.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from .elf_writer import EHDR, IDENT, PHDR, SHDR
from .errors import LabError

_SYM = struct.Struct("<I BBH QQ")
_ET_EXEC, _EM_X86_64, _PT_LOAD = 2, 62, 1
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_STRTAB, _SHT_NOTE = 1, 2, 3, 7
_SHF_ALLOC = 2
_SHN_ABS = 0xFFF1
_STB_LOCAL = 0
_TEXT_BYTES, _BANNER_BYTES = 64, 1024


@dataclass(frozen=True, slots=True)
class Symbol:
    """One entry of a symbol table; ``info`` is st_info, binding and type."""

    name: str
    value: int
    size: int
    info: int


@dataclass(slots=True)
class _Section:
    name: str
    kind: int
    data: bytes
    vaddr: int = 0
    link: int = 0
    info: int = 0
    entsize: int = 0
    align: int = 1


class FullVmlinux:
    """The real vmlinux, mapped: its symbols and the bytes at an address.

    Raises:
        LabError: the file is no ELF with .symtab, .strtab and .notes.
    """

    def __init__(self, path: Path) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            elf = ELFFile(cast(IO[bytes], self._data))
            sections: list[Any] = [
                elf.get_section_by_name(n) for n in (".symtab", ".strtab", ".notes")
            ]
            self._loads = [s.header for s in elf.iter_segments("PT_LOAD")]
            self._order = "<" if elf.little_endian else ">"
            self._wide = elf.elfclass == 64
        except ELFError as error:
            raise LabError(f"{path}: {error}") from error
        if None in sections:
            raise LabError(f"{path}: lacks .symtab, .strtab or .notes")
        self._symtab, self._strtab, self.notes = (section.header for section in sections)

    def symbols(self, names: Iterable[str]) -> list[Symbol]:
        """The symbols of these names, as often as the table has them."""
        wanted: dict[int, str] = {}
        start = self._strtab.sh_offset
        for name in names:
            for at in self._find_all(name.encode() + b"\0", self._strtab):
                wanted[at - start] = name
        table = memoryview(self._data)[self._symtab.sh_offset :][: self._symtab.sh_size]
        found = [
            Symbol(wanted[at], value, size, info)
            for at, info, section, value, size in self._entries(table)
            if at in wanted and section
        ]
        table.release()
        return found

    def _entries(self, table: memoryview) -> Iterable[tuple[int, int, int, int, int]]:
        """Name, st_info, st_shndx, value and size of each; a 32-bit file has another order."""
        if self._wide:
            for at, info, _, section, value, size in struct.iter_unpack(
                self._order + "IBBHQQ", table
            ):
                yield at, info, section, value, size
        else:
            for at, value, size, info, _, section in struct.iter_unpack(
                self._order + "IIIBBH", table
            ):
                yield at, info, section, value, size

    def read(self, vaddr: int, size: int) -> bytes:
        """Up to ``size`` bytes at a linked address; none where the file has none."""
        for load in self._loads:
            into = vaddr - load.p_vaddr
            if 0 <= into < load.p_filesz:
                start = load.p_offset + into
                return self._data[start : start + min(size, load.p_filesz - into)]
        return b""

    def _find_all(self, text: bytes, section: Any) -> Iterable[int]:
        end = section.sh_offset + section.sh_size
        at = self._data.find(text, section.sh_offset, end)
        while at >= 0:
            yield at
            at = self._data.find(text, at + 1, end)


def write_vmlinux(
    full: FullVmlinux, names: Iterable[str], out: Path, pages: Sequence[int] = ()
) -> None:
    """Write the small stand-in with the symbols of ``names`` that there are.

    ``pages`` are linked addresses whose 4 KiB are kept as well.

    Raises:
        LabError: ``_text`` or ``linux_banner`` is not among them.
    """
    symbols = full.symbols(names)
    at = {symbol.name: symbol.value for symbol in symbols}
    if not {"_text", "linux_banner"} <= at.keys():
        raise LabError(f"{out.name}: the kernel has no symbol _text or linux_banner")
    banner, notes = at["linux_banner"], full.notes
    out.write_bytes(
        _elf(
            [
                _Section("", 0, b""),
                _Section(".text", _SHT_PROGBITS, full.read(at["_text"], _TEXT_BYTES), at["_text"]),
                _Section(".rodata", _SHT_PROGBITS, full.read(banner, _BANNER_BYTES), banner),
                _Section(".notes", _SHT_NOTE, full.read(notes.sh_addr, notes.sh_size),
                         notes.sh_addr, align=4),
                *(_Section(f".page{number}", _SHT_PROGBITS, full.read(page, 4096), page)
                  for number, page in enumerate(pages)),
                *_symbol_sections(symbols, strtab=5 + len(pages)),
            ]
        )
    )  # fmt: skip


def _symbol_sections(symbols: list[Symbol], *, strtab: int) -> list[_Section]:
    """.symtab, local symbols first as the specification wants, and .strtab."""
    ordered = sorted(symbols, key=lambda s: (s.info >> 4 != _STB_LOCAL, s.value, s.name))
    names, entries = bytearray(b"\0"), bytearray(_SYM.size)
    for symbol in ordered:
        entries += _SYM.pack(len(names), symbol.info, 0, _SHN_ABS, symbol.value, symbol.size)
        names += symbol.name.encode() + b"\0"
    first_global = 1 + sum(s.info >> 4 == _STB_LOCAL for s in ordered)
    return [
        _Section(".symtab", _SHT_SYMTAB, bytes(entries), 0, strtab, first_global, _SYM.size, 8),
        _Section(".strtab", _SHT_STRTAB, bytes(names)),
    ]


def _elf(sections: list[_Section]) -> bytes:
    """The file: header, program headers of what has an address, data, section headers."""
    sections = [*sections, _Section(".shstrtab", _SHT_STRTAB, b"")]
    sections[-1].data = b"".join(section.name.encode() + b"\0" for section in sections)
    loaded = [section for section in sections if section.vaddr]
    body = bytearray(EHDR.size + PHDR.size * len(loaded))
    segments, headers, name_at = b"", b"", 0
    for section in sections:
        body += bytes(-len(body) % section.align)
        offset, size = len(body), len(section.data)
        flags = _SHF_ALLOC if section.vaddr else 0
        headers += SHDR.pack(
            *(name_at, section.kind, flags, section.vaddr, offset, size),
            *(section.link, section.info, section.align, section.entsize),
        )
        if section.vaddr:
            segments += PHDR.pack(_PT_LOAD, 4, offset, section.vaddr, 0, size, size, 1)
        name_at += len(section.name) + 1
        body += section.data
    sizes = (EHDR.size, PHDR.size, len(loaded), SHDR.size, len(sections), len(sections) - 1)
    entry = loaded[0].vaddr
    phoff, shoff = EHDR.size, len(body)
    header = EHDR.pack(IDENT, _ET_EXEC, _EM_X86_64, 1, entry, phoff, shoff, 0, *sizes)
    body[: EHDR.size + len(segments)] = header + segments
    return bytes(body) + headers
