# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny stand-in for a debug vmlinux: a few of its symbols, its banner, its notes.

The bytes are the real ones at their real addresses, in sections of the real names;
only what lies between is left out.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from . import elf_format
from .elf_format import (
    ET_EXEC,
    PT_LOAD,
    SHT_NOTE,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
    ByteOrder,
    ElfFormat,
)
from .errors import LabError

_E_MACHINE = slice(18, 20)
_SHF_ALLOC = 2
_SHN_ABS = 0xFFF1
_STB_LOCAL = 0
_TEXT_BYTES, _BANNER_BYTES = 64, 1024


class Symbol(NamedTuple):
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
            order: ByteOrder = "little" if elf.little_endian else "big"
            machine = int.from_bytes(self._data[_E_MACHINE], order)
            self.format = ElfFormat(machine, order, elf.elfclass == 64)
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
            Symbol(wanted[entry.name], entry.value, entry.size, entry.info)
            for entry in self.format.symbols(table)
            if entry.name in wanted and entry.section
        ]
        table.release()
        return found

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
    sections = [
        _Section("", 0, b""),
        _Section(".text", SHT_PROGBITS, full.read(at["_text"], _TEXT_BYTES), at["_text"]),
        _Section(".rodata", SHT_PROGBITS, full.read(banner, _BANNER_BYTES), banner),
        _Section(".notes", SHT_NOTE, full.read(notes.sh_addr, notes.sh_size), notes.sh_addr,
                 align=4),
        *(_Section(f".page{number}", SHT_PROGBITS, full.read(page, 4096), page)
          for number, page in enumerate(pages)),
        *_symbol_sections(full.format, symbols, strtab=5 + len(pages)),
    ]  # fmt: skip
    out.write_bytes(_file(full.format, sections))


def _symbol_sections(elf: ElfFormat, symbols: list[Symbol], *, strtab: int) -> list[_Section]:
    """.symtab, local symbols first as the specification wants, and .strtab."""
    ordered = sorted(symbols, key=lambda s: (s.info >> 4 != _STB_LOCAL, s.value, s.name))
    size = elf.symbol_size
    names, entries = bytearray(b"\0"), bytearray(size)
    for symbol in ordered:
        entries += elf.symbol(
            elf_format.Symbol(len(names), symbol.info, _SHN_ABS, symbol.value, symbol.size)
        )
        names += symbol.name.encode() + b"\0"
    first_global = 1 + sum(s.info >> 4 == _STB_LOCAL for s in ordered)
    return [
        _Section(".symtab", SHT_SYMTAB, bytes(entries), 0, strtab, first_global, size, 8),
        _Section(".strtab", SHT_STRTAB, bytes(names)),
    ]


def _file(elf: ElfFormat, sections: list[_Section]) -> bytes:
    """Header, program headers of what has an address, data, section headers."""
    sections = [*sections, _Section(".shstrtab", SHT_STRTAB, b"")]
    sections[-1].data = b"".join(section.name.encode() + b"\0" for section in sections)
    loaded = [section for section in sections if section.vaddr]
    body = bytearray(elf.ehdr_size + elf.phdr_size * len(loaded))
    segments, headers, name_at = b"", b"", 0
    for section in sections:
        body += bytes(-len(body) % section.align)
        offset, size, vaddr = len(body), len(section.data), section.vaddr
        headers += elf.shdr(
            name_at, section.kind, flags=_SHF_ALLOC if vaddr else 0, vaddr=vaddr, offset=offset,
            size=size, link=section.link, info=section.info, align=section.align,
            entsize=section.entsize,
        )  # fmt: skip
        if vaddr:
            segments += elf.phdr(
                PT_LOAD, flags=4, offset=offset, vaddr=vaddr, filesz=size, memsz=size, align=1
            )
        name_at += len(section.name) + 1
        body += section.data
    header = elf.ehdr(
        ET_EXEC, entry=loaded[0].vaddr, phoff=elf.ehdr_size, phnum=len(loaded), shoff=len(body),
        shnum=len(sections), shstrndx=len(sections) - 1,
    )  # fmt: skip
    body[: len(header + segments)] = header + segments
    return bytes(body) + headers
