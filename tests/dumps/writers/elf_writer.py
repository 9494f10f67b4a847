# SPDX-License-Identifier: GPL-3.0-or-later
"""Write an ELF core the ways QEMU does (dump/dump.c)."""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass
class Load:
    """One PT_LOAD. ``shares`` is the index of an earlier one whose file bytes it has."""

    paddr: int
    data: bytes = b""
    memsz: int | None = None
    vaddr: int | None = None
    absent: bool = False
    shares: int | None = None
    flags: int = 0


@dataclass
class Elf:
    """What to write. ``sections`` puts section headers before the table as QEMU 7.2 does."""

    loads: list[Load]
    bits: int = 64
    order: str = "little"
    machine: int = 62
    notes: bytes = b""
    sections: bool = True
    xnum: bool = False
    xnum_info: int | None = None
    type: int = 4

    def write(self) -> bytes:
        """The whole file."""
        mark = "<" if self.order == "little" else ">"
        wide = self.bits == 64
        ehsize, phsize, shsize = (64, 56, 64) if wide else (52, 32, 40)
        shnum = 2 if self.sections else 1 if self.xnum else 0
        count = 1 + len(self.loads)
        phoff = ehsize + (shnum * shsize if self.sections else 0)
        shoff = ehsize if self.sections else phoff + count * phsize if shnum else 0
        notes_at = phoff + count * phsize + (0 if self.sections else shnum * shsize)
        phdrs, memory = self._segments(notes_at + len(self.notes))
        ehdr = b"\x7fELF" + bytes([2 if wide else 1, 1 if self.order == "little" else 2, 1])
        ehdr += bytes(9) + struct.pack(
            mark + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
            self.type, self.machine, 1, 0, phoff, shoff, 0, ehsize, phsize,
            0xFFFF if self.xnum else count, shsize, shnum, max(shnum - 1, 0),
        )  # fmt: skip
        info = (count if self.xnum_info is None else self.xnum_info) if self.xnum else 0
        null = bytearray(shsize)
        struct.pack_into(mark + "I", null, 44 if wide else 28, info)
        shdrs = bytes(null) + bytes(shsize) * (shnum - 1) if shnum else b""
        table = self._phdr(4, notes_at, 0, 0, len(self.notes), len(self.notes), 0)
        table += b"".join(phdrs)
        middle = shdrs + table if self.sections else table + shdrs
        return ehdr + middle + self.notes + memory

    def _segments(self, at: int) -> tuple[list[bytes], bytes]:
        phdrs: list[bytes] = []
        places: list[int] = []
        memory = bytearray()
        nowhere = (1 << self.bits) - 1
        for load in self.loads:
            place = nowhere if load.absent else at + len(memory)
            if load.shares is not None:
                place = places[load.shares]
            elif not load.absent:
                memory += load.data
            places.append(place)
            filesz = 0 if load.absent else len(load.data)
            memsz = len(load.data) if load.memsz is None else load.memsz
            vaddr = load.paddr if load.vaddr is None else load.vaddr
            phdrs.append(self._phdr(1, place, vaddr, load.paddr, filesz, memsz, load.flags))
        return phdrs, bytes(memory)

    def _phdr(
        self, kind: int, offset: int, vaddr: int, paddr: int, filesz: int, memsz: int, flags: int
    ) -> bytes:
        mark = "<" if self.order == "little" else ">"
        if self.bits == 64:
            return struct.pack(
                mark + "IIQQQQQQ", kind, flags, offset, vaddr, paddr, filesz, memsz, 0
            )
        return struct.pack(mark + "8I", kind, offset, vaddr, paddr, filesz, memsz, flags, 0)
