# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of ELF files in either word size and byte order, as the writers need them.

Declared here from the ELF specification (gABI chapters 4 and 5): a writer that shared the
reader's layout would prove nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

ET_EXEC, ET_CORE = 2, 4
PT_LOAD, PT_NOTE = 1, 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE = 1, 2, 3, 7
#: e_machine by the names that dumps have for it.
MACHINES = {
    "i386": 3,
    "ppc64": 21,
    "ppc64le": 21,
    "s390x": 22,
    "x86_64": 62,
    "aarch64": 183,
    "riscv64": 243,
}

ByteOrder = Literal["little", "big"]


class Symbol(NamedTuple):
    """One entry of a symbol table; ``name`` is an offset, ``info`` binding and type."""

    name: int
    info: int
    section: int
    value: int
    size: int


@dataclass(frozen=True)
class ElfFormat:
    """One kind of ELF file.

    Attributes:
        machine: e_machine.
        wide: 64-bit.
    """

    machine: int
    byte_order: ByteOrder = "little"
    wide: bool = True

    @cached_property
    def _order(self) -> str:
        return "<" if self.byte_order == "little" else ">"

    @property
    def ehdr_size(self) -> int:
        """Bytes of the ELF header."""
        return 64 if self.wide else 52

    @property
    def phdr_size(self) -> int:
        """Bytes of a program header."""
        return 56 if self.wide else 32

    @property
    def shdr_size(self) -> int:
        """Bytes of a section header."""
        return 64 if self.wide else 40

    @property
    def symbol_size(self) -> int:
        """Bytes of a symbol."""
        return 24 if self.wide else 16

    def ehdr(
        self, kind: int, *, phoff: int, phnum: int, shoff: int = 0, shnum: int = 0,
        shstrndx: int = 0, entry: int = 0,
    ) -> bytes:  # fmt: skip
        """The ELF header."""
        ident = bytes((0x7F, *b"ELF", 2 if self.wide else 1, 1 if self._order == "<" else 2, 1))
        word = "Q" if self.wide else "I"
        return struct.pack(
            f"{self._order}16sHHI{word}{word}{word}I6H",
            *(ident.ljust(16, b"\0"), kind, self.machine, 1, entry, phoff, shoff, 0),
            *(self.ehdr_size, self.phdr_size, phnum, self.shdr_size if shnum else 0, shnum),
            shstrndx,
        )

    def phdr(
        self, kind: int, *, flags: int = 0, offset: int, vaddr: int = 0, paddr: int = 0,
        filesz: int, memsz: int, align: int = 0,
    ) -> bytes:  # fmt: skip
        """A program header."""
        places = (offset, vaddr, paddr, filesz, memsz)
        if self.wide:
            return struct.pack(f"{self._order}2I6Q", kind, flags, *places, align)
        return struct.pack(f"{self._order}8I", kind, *places, flags, align)

    def shdr(
        self, name: int, kind: int, *, flags: int = 0, vaddr: int = 0, offset: int, size: int,
        link: int = 0, info: int = 0, align: int = 1, entsize: int = 0,
    ) -> bytes:  # fmt: skip
        """A section header."""
        layout = "2I4Q2I2Q" if self.wide else "10I"
        fields = (name, kind, flags, vaddr, offset, size, link, info, align, entsize)
        return struct.pack(self._order + layout, *fields)

    def symbol(self, symbol: Symbol) -> bytes:
        """An entry of a symbol table."""
        name, info, section, value, size = symbol
        if self.wide:
            return struct.pack(f"{self._order}IBBHQQ", name, info, 0, section, value, size)
        return struct.pack(f"{self._order}IIIBBH", name, value, size, info, 0, section)

    def symbols(self, table: memoryview) -> Iterator[Symbol]:
        """The entries of a symbol table."""
        if self.wide:
            for name, info, _, section, value, size in struct.iter_unpack(
                f"{self._order}IBBHQQ", table
            ):
                yield Symbol(name, info, section, value, size)
        else:
            for name, value, size, info, _, section in struct.iter_unpack(
                f"{self._order}IIIBBH", table
            ):
                yield Symbol(name, info, section, value, size)

    def note(self, name: str, kind: int, desc: bytes) -> bytes:
        """One ELF note, name and descriptor padded to 4 bytes."""
        label = name.encode() + b"\0"
        header = struct.pack(f"{self._order}3I", len(label), len(desc), kind)
        return header + label + bytes(-len(label) % 4) + desc + bytes(-len(desc) % 4)
