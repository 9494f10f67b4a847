# SPDX-License-Identifier: GPL-3.0-or-later
"""The few facts needed of a vmlinux: some symbols, its banner, its build ID.

A debug vmlinux has over 100 000 symbols and hundreds of MiB; decoding its symbol table
takes seconds. A symbol's name is found as bytes in the string table instead, and the
entry that points at it as bytes in the symbol table: 1-2 ms a symbol.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, cast

from ..dumps.base import ByteOrder
from ..errors import SymbolFileError

_SHN_UNDEF = 0
_BIND_GLOBAL = 1
_PF_R = 4
#: How .comment begins, where compilers name themselves, in a vmlinux that was made from a dump.
MADE_BY = b"qemufix "
_MAX_TEXT = 4096
_NT_GNU_BUILD_ID = 3
_BANNER_START = b"Linux version "
_DEBUG_INFO = (".debug_info", ".zdebug_info")


class _Table(NamedTuple):
    offset: int
    end: int


class _Symbol(NamedTuple):
    """``Elf32_Sym`` or ``Elf64_Sym``, fields named as in elf.h."""

    st_name: int
    st_info: int
    st_shndx: int
    st_value: int


class _SymbolFormat:
    """How a symbol table's entries are packed: elf.h has the fields in another order in 32 bits."""

    def __init__(self, bits: int, byte_order: ByteOrder) -> None:
        mark = "<" if byte_order == "little" else ">"
        self._struct = struct.Struct(mark + ("IBxHQ8x" if bits == 64 else "II4xBxH"))
        self._name = struct.Struct(mark + "I")
        self._is_wide = bits == 64
        self.size = self._struct.size

    def key(self, name_offset: int) -> bytes:
        """The first bytes of an entry with that ``st_name``."""
        return self._name.pack(name_offset)

    def unpack(self, data: mmap.mmap, at: int) -> _Symbol:
        """The entry at ``at``."""
        fields = self._struct.unpack_from(data, at)
        if self._is_wide:
            return _Symbol(*fields)
        name, value, info, section = fields
        return _Symbol(name, info, section, value)


class Vmlinux:
    """An ELF kernel file of any class and byte order, opened for a few look-ups.

    Addresses are those it was linked for. Attributes: ``path``, ``bits`` (32 or 64),
    ``byte_order``, ``machine`` (``EM_...``), ``has_debug_info``, and ``is_whole``: False for
    a separate debug file, which has the sections' headers without their bytes. Its program
    headers claim bytes all the same (objcopy and eu-strip leave them so): none is read.
    ``is_made`` is True for one that was made from a guest's memory, and says so.

    Raises:
        SymbolFileError: the file can't be read, is no ELF file, or has no symbol table.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._symbols: dict[str, int | None] = {}
        try:
            if not Path(path).is_file():
                raise SymbolFileError(_not_a_file(path), path=path)
            with Path(path).open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SymbolFileError(_open_problem(error), path=path) from None
        try:
            self._parse_headers()
        except BaseException:
            self.close()
            raise

    def _parse_headers(self) -> None:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        try:
            elf = ELFFile(cast(IO[bytes], self._data))
            self.bits = int(elf.elfclass)
            self.byte_order: ByteOrder = "little" if elf.little_endian else "big"
            self.machine = str(elf["e_machine"])
            # Without rights: a hole, in a vmlinux made from a dump.
            loads = [
                (s["p_vaddr"], s["p_offset"], s["p_filesz"])
                for s in elf.iter_segments()
                if s["p_type"] == "PT_LOAD" and s["p_flags"] & _PF_R
            ]
            text = elf.get_section_by_name(".text")
            self.is_whole = text is None or text["sh_type"] != "SHT_NOBITS"
            self._loads = loads if self.is_whole else []
            self.has_debug_info = any(elf.get_section_by_name(n) is not None for n in _DEBUG_INFO)
            comment = elf.get_section_by_name(".comment")
            self.is_made = comment is not None and self._starts(comment, MADE_BY)
            symtab = elf.get_section_by_name(".symtab")
            strings = elf.get_section_by_name(".strtab")
            notes = elf.get_section_by_name(".notes")
        except (ELFError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError,
                OSError, struct.error) as error:  # fmt: skip
            raise SymbolFileError(_elf_problem(self._data, error), path=self.path) from None
        if symtab is None or strings is None:
            raise SymbolFileError(
                "no symbol table: give the vmlinux with symbols (debug package)", path=self.path
            )
        self._format = _SymbolFormat(self.bits, self.byte_order)
        self._symtab = self._table(symtab)
        self._strings = self._table(strings)
        self._notes = None if notes is None else (notes["sh_addr"], notes["sh_size"])
        if notes is not None and not self.is_whole and notes["sh_type"] != "SHT_NOBITS":
            self._loads = [(notes["sh_addr"], notes["sh_offset"], notes["sh_size"])]

    def _starts(self, section: Any, text: bytes) -> bool:
        at = section["sh_offset"]
        return self._data[at : at + len(text)] == text

    def _table(self, section: Any) -> _Table:
        offset, end = section["sh_offset"], section["sh_offset"] + section["sh_size"]
        if end > len(self._data):
            raise SymbolFileError(
                f"cut off: {section.name} ends at {end:#x}, the file at {len(self._data):#x}",
                path=self.path,
            )
        return _Table(offset, end)

    def symbol(self, name: str) -> int | None:
        """The linked address of a symbol, None if there is none of that name.

        A global symbol wins over local ones of the same name.
        """
        if name not in self._symbols:
            self._symbols[name] = self._find(name.encode() + b"\0")
        return self._symbols[name]

    def check_whole(self) -> None:
        """Refuse debug information alone.

        Raises:
            SymbolFileError: the kernel itself is not in the file.
        """
        if not self.is_whole:
            raise SymbolFileError(
                "debug information without the kernel itself: give the whole vmlinux",
                path=self.path,
            )

    def first(self, *names: str) -> int | None:
        """The linked address of the first of ``names`` that exists."""
        for name in names:
            value = self.symbol(name)
            if value is not None:
                return value
        return None

    def read(self, vaddr: int, size: int) -> bytes | None:
        """``size`` bytes at a linked address, None if the file holds no such bytes."""
        for start, offset, filesz in self._loads:
            if start <= vaddr and vaddr + size <= start + filesz:
                at = offset + vaddr - start
                data = self._data[at : at + size]
                return data if len(data) == size else None
        return None

    @property
    def banner(self) -> bytes | None:
        """The kernel's ``linux_banner`` text, without the trailing NUL."""
        vaddr = self.symbol("linux_banner")
        if vaddr is None:
            return None
        for size in (_MAX_TEXT, 512, 256):
            data = self.read(vaddr, size)
            if data is not None:
                text, end, _ = data.partition(b"\0")
                return text if end and text.startswith(_BANNER_START) else None
        return None

    @property
    def notes(self) -> tuple[int, bytes] | None:
        """Linked address and bytes of its ELF notes, None if the file has none."""
        if self._notes is None:
            return None
        vaddr, size = self._notes
        data = self.read(vaddr, size) if size <= _MAX_TEXT * 16 else None
        return (vaddr, data) if data else None

    @property
    def build_id(self) -> str | None:
        """The GNU build ID as lower-case hex, None if the file has none."""
        return None if self.notes is None else find_build_id(self.notes[1], self.byte_order)

    def _find(self, name: bytes) -> int | None:
        # Whole names first; a linker may also have stored one as the tail of another.
        return next((v for v in map(self._search, (b"\0" + name, name)) if v is not None), None)

    def _search(self, name: bytes) -> int | None:
        found = None
        skip = len(name) - len(name.lstrip(b"\0"))
        at = self._data.find(name, self._strings.offset, self._strings.end)
        while at >= 0:
            for bind, value in self._entries(at + skip - self._strings.offset):
                if bind == _BIND_GLOBAL:
                    return value
                found = value if found is None else found
            at = self._data.find(name, at + 1, self._strings.end)
        return found

    def _entries(self, name_offset: int) -> list[tuple[int, int]]:
        """(binding, value) of the defined symbols whose st_name is ``name_offset``."""
        entries = []
        key, size = self._format.key(name_offset), self._format.size
        start, end = self._symtab.offset, self._symtab.end
        at = self._data.find(key, start, end)
        while at >= 0:
            misaligned = (at - start) % size
            if not misaligned and at + size <= end:
                symbol = self._format.unpack(self._data, at)
                if symbol.st_shndx != _SHN_UNDEF:
                    entries.append((symbol.st_info >> 4, symbol.st_value))
            at = self._data.find(key, at + 1, end)
        return entries

    def close(self) -> None:
        """Release the file."""
        self._data.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


def find_build_id(notes: bytes, byte_order: ByteOrder = "little") -> str | None:
    """The GNU build ID in a run of ELF notes (a kernel's ``.notes``), as hex."""
    header = struct.Struct("<III" if byte_order == "little" else ">III")
    at = 0
    while at + 12 <= len(notes):
        namesz, descsz, kind = header.unpack_from(notes, at)
        desc = at + 12 + (namesz + 3 & ~3)
        end = desc + descsz
        if end > len(notes):
            return None
        if kind == _NT_GNU_BUILD_ID and notes[at + 12 : at + 16] == b"GNU\0" and namesz == 4:
            return notes[desc:end].hex()
        at = end + 3 & ~3
    return None


def _not_a_file(path: str) -> str:
    if Path(path).is_dir():
        return "is a directory"
    return "not a regular file" if Path(path).exists() else "no such file"


def _open_problem(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "the file is empty"


def _elf_problem(data: mmap.mmap, error: Exception) -> str:
    if data[:4] != b"\x7fELF":
        if data[0x202:0x206] == b"HdrS":
            return "a compressed kernel image (bzImage), not a vmlinux with symbols"
        return "not an ELF file"
    return f"damaged ELF headers ({' '.join(str(error).split()) or type(error).__name__})"
