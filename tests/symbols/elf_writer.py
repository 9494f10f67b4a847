# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny ELF kernel file in any class and byte order (gABI, "Object Files")."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from crashext.dumps.base import ByteOrder

_SIZE = 0x400
_GLOBAL = 0x10


@dataclass(frozen=True)
class Elf:
    """One segment at ``base``: the banner at 0x100, the notes at 0x200."""

    bits: int
    byte_order: ByteOrder
    base: int = 0xC0008000
    banner: bytes = b"Linux version 6.1.0-test (me@here) #1 SMP\n"

    @property
    def symbols(self) -> dict[str, int]:
        """The defined symbols."""
        return {"_text": self.base, "linux_banner": self.base + 0x100, "_end": self.base + _SIZE}

    def write(self, path: Path) -> str:
        """Write the file; returns its path."""
        head = 0x34 + 0x20 if self.bits == 32 else 0x40 + 0x38
        body = self._body()
        symtab, strings = self._symbols()
        names = b"\0.notes\0.symtab\0.strtab\0.shstrtab\0"
        parts, places = b"", []
        for part in (body, symtab, strings, names):
            places.append(head + len(parts))
            parts += part + bytes(-len(part) % 8)
        sections = b"".join(
            (
                self._section(),
                self._section(1, 7, self.base + 0x200, places[0] + 0x200, 36),
                self._section(8, 2, 0, places[1], len(symtab)),
                self._section(16, 3, 0, places[2], len(strings)),
                self._section(24, 3, 0, places[3], len(names)),
            )
        )
        header = self._header(head + len(parts))
        path.write_bytes(header + self._segment(places[0]) + parts + sections)
        return str(path)

    def _pack(self, wide: str, narrow: str, *fields: int) -> bytes:
        mark = "<" if self.byte_order == "little" else ">"
        return struct.pack(mark + (wide if self.bits == 64 else narrow), *fields)

    def _body(self) -> bytes:
        data = bytearray(_SIZE)
        data[0x100 : 0x100 + len(self.banner)] = self.banner
        data[0x200:0x210] = self._pack("3I4x", "3I4x", 4, 20, 3)
        data[0x20C:0x224] = b"GNU\0" + b"\x07" * 20
        return bytes(data)

    def _symbols(self) -> tuple[bytes, bytes]:
        """The symbol table and its strings; "undefined" is of section 0."""
        strings = b"\0"
        entries = bytes(24 if self.bits == 64 else 16)
        for name, value in {**self.symbols, "undefined": 1}.items():
            section = 0 if name == "undefined" else 1
            at = len(strings)
            if self.bits == 64:
                entries += self._pack("IBBHQQ", "", at, _GLOBAL, 0, section, value, 0)
            else:
                entries += self._pack("", "IIIBBH", at, value, 0, _GLOBAL, 0, section)
            strings += name.encode() + b"\0"
        return entries, strings

    def _section(
        self, name: int = 0, kind: int = 0, vaddr: int = 0, offset: int = 0, size: int = 0
    ) -> bytes:
        entry = (24 if self.bits == 64 else 16) if kind == 2 else 0
        link = 3 if kind == 2 else 0
        return self._pack(
            "2I4Q2I2Q", "10I", name, kind, 0, vaddr, offset, size, link, 1, 4, entry
        )  # fmt: skip

    def _header(self, sections: int) -> bytes:
        ident = b"\x7fELF" + bytes([self.bits // 32, 1 if self.byte_order == "little" else 2, 1])
        sizes = (0x40, 0x38, 1, 0x40, 5, 4) if self.bits == 64 else (0x34, 0x20, 1, 0x28, 5, 4)
        fields = (2, 0, 1, 0, sizes[0], sections, 0, *sizes)
        return ident.ljust(16, b"\0") + self._pack("2HI3QI6H", "2HI3II6H", *fields)

    def _segment(self, offset: int) -> bytes:
        if self.bits == 64:
            return self._pack("2I6Q", "", 1, 5, offset, self.base, 0, _SIZE, _SIZE, 8)
        return self._pack("", "8I", 1, offset, self.base, 0, _SIZE, _SIZE, 5, 8)
