# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of a new ELF core, field for field (elf.h, gABI)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from ...dumps.elf_types import machine_of
from ...errors import UnsupportedDump
from ..headers import Headers

_ET_CORE, _EV_CURRENT = 4, 1
_PT_LOAD, _PT_NOTE = 1, 4
_PN_XNUM = 0xFFFF


class Load(NamedTuple):
    """One PT_LOAD. ``filesz`` is 0 where the memory was left out."""

    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int


class ElfHeaders:
    """The sizes of the headers, and how they are packed.

    No section headers, unless there are so many program headers that their number has to
    stand in the first one (gABI, Program Header). ``p_align`` is 0, as QEMU and
    makedumpfile have it, by which crash tells these cores from netdump's.
    """

    def __init__(self, headers: Headers, path: str) -> None:
        """Take the class, byte order and machine from ``headers`` for the dump at ``path``.

        Raises:
            UnsupportedDump: no e_machine is known for the architecture.
        """
        machine = machine_of(headers.arch, headers.bits)
        if machine is None:
            raise UnsupportedDump(
                f"no ELF core for the architecture {headers.arch} of {headers.bits} bits", path=path
            )
        self._machine = machine
        self._wide = headers.bits == 64
        self._little = headers.byte_order == "little"
        mark = "<" if self._little else ">"
        # e_type to e_shstrndx; a program header; a section header.
        self._ehdr = struct.Struct(mark + ("2HI3QI6H" if self._wide else "2H5I6H"))
        self._phdr = struct.Struct(mark + ("2I6Q" if self._wide else "8I"))
        self._shdr = struct.Struct(mark + ("2I4Q2I2Q" if self._wide else "10I"))
        self.limit = 1 << headers.bits

    def size(self, count: int) -> int:
        """Bytes of all headers with ``count`` program headers."""
        section = self._shdr.size if count >= _PN_XNUM else 0
        return 16 + self._ehdr.size + count * self._phdr.size + section

    def pack(self, notes: tuple[int, int], loads: Iterable[Load], count: int) -> bytearray:
        """All headers; ``notes`` is their place and size, ``count`` how many ``loads``."""
        count += 1
        many = count >= _PN_XNUM
        ehsize = 16 + self._ehdr.size
        ident = b"\x7fELF" + bytes([2 if self._wide else 1, 1 if self._little else 2, 1])
        out = bytearray(ident.ljust(16, b"\0"))
        out += self._ehdr.pack(
            *(_ET_CORE, self._machine, _EV_CURRENT, 0, ehsize),
            *(ehsize + count * self._phdr.size if many else 0, 0, ehsize, self._phdr.size),
            *(min(count, _PN_XNUM), self._shdr.size if many else 0, int(many), 0),
        )
        place, size = notes
        out += self._program(_PT_NOTE, Load(place, 0, 0, size, size))
        for load in loads:
            out += self._program(_PT_LOAD, load)
        if many:
            out += self._shdr.pack(0, 0, 0, 0, 0, 0, 0, count, 0, 0)
        return out

    def _program(self, kind: int, load: Load) -> bytes:
        offset, vaddr, paddr, filesz, memsz = load
        if self._wide:
            return self._phdr.pack(kind, 0, offset, vaddr, paddr, filesz, memsz, 0)
        return self._phdr.pack(kind, offset, vaddr, paddr, filesz, memsz, 0, 0)
