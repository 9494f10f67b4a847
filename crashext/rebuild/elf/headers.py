# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of an ELF executable as bytes, fields named as in elf.h."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ...dumps.base import ByteOrder
from ...dumps.elf_types import MAGIC

ET_EXEC, _EV_CURRENT = 2, 1
PT_LOAD, PT_NOTE = 1, 4
PF_R = 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE, SHT_NOBITS = 1, 2, 3, 7, 8
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4


class Target(NamedTuple):
    """What the file is for: ``word`` bytes of a pointer, ``machine`` is e_machine."""

    byte_order: ByteOrder
    word: int
    machine: int


class SectionHeader(NamedTuple):
    """``Elf_Shdr``."""

    name: str
    type: int
    flags: int = 0
    addr: int = 0
    offset: int = 0
    size: int = 0
    link: int = 0
    info: int = 0
    align: int = 1
    entsize: int = 0


class ProgramHeader(NamedTuple):
    """``Elf_Phdr``."""

    type: int
    flags: int
    offset: int
    vaddr: int
    filesz: int
    memsz: int
    align: int


class Packer:
    """The headers of one file; ``ehsize``, ``phentsize`` and ``shentsize`` are their sizes."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._mark = "<" if target.byte_order == "little" else ">"
        self._word = "Q" if target.word == 8 else "I"
        self.ehsize, self.phentsize, self.shentsize = (
            (64, 56, 64) if target.word == 8 else (52, 32, 40)
        )

    def file_header(self, phnum: int, shoff: int, shnum: int) -> bytes:
        """The section headers' names are the last section."""
        target, word = self._target, self._word
        ident = bytes([target.word // 4, 1 if target.byte_order == "little" else 2, _EV_CURRENT])
        return (MAGIC + ident).ljust(16, b"\0") + struct.pack(
            f"{self._mark}HHI{word}{word}{word}I6H",
            *(ET_EXEC, target.machine, _EV_CURRENT, 0, self.ehsize, shoff, 0, self.ehsize),
            *(self.phentsize, phnum, self.shentsize, shnum, shnum - 1),
        )

    def program_header(self, header: ProgramHeader) -> bytes:
        """Its physical address is the virtual one: nothing that reads these files looks at it."""
        kind, flags, offset, vaddr, filesz, memsz, align = header
        if self._target.word == 8:
            return struct.pack(
                f"{self._mark}II6Q", kind, flags, offset, vaddr, vaddr, filesz, memsz, align
            )
        return struct.pack(
            f"{self._mark}8I", kind, offset, vaddr, vaddr, filesz, memsz, flags, align
        )

    def section_header(self, header: SectionHeader, name: int) -> bytes:
        """``name`` is where its name stands among the names."""
        word = self._word
        return struct.pack(
            f"{self._mark}II{word}{word}{word}{word}II{word}{word}",
            *(name, header.type, header.flags, header.addr, header.offset, header.size),
            *(header.link, header.info, header.align, header.entsize),
        )
