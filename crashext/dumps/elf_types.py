# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF headers, fields named as in elf.h.

Unpacked with struct: importing pyelftools' elffile takes 43 ms and a program
header through it about 20 us, while a dump with page tables (paging=true) can
have hundreds of thousands of them and the whole of ``detect`` has 0.1 s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import CorruptDump, UnsupportedDump
from .base import ByteOrder
from .source import Source

MAGIC = b"\x7fELF"
ET_CORE = 4
PT_LOAD = 1
PT_NOTE = 4
PN_XNUM = 0xFFFF

_MACHINES = {
    (3, 32): "i386",
    (3, 64): "i386",  # QEMU: RAM above 4 GiB, and the first CPU not in long mode
    (8, 32): "mips",
    (8, 64): "mips64",
    (20, 32): "ppc",
    (21, 64): "ppc64",
    (22, 32): "s390",
    (22, 64): "s390x",
    (40, 32): "arm",
    (43, 64): "sparc64",
    (50, 64): "ia64",
    (62, 64): "x86_64",
    (183, 64): "aarch64",
    (243, 32): "riscv32",
    (243, 64): "riscv64",
    (258, 64): "loongarch64",
}


def machine_of(arch: str, bits: int) -> int | None:
    """The e_machine of an architecture's cores of that width, or None if there is none."""
    name = "ppc64" if arch == "ppc64le" else arch
    return next((m for (m, wide), known in _MACHINES.items() if (known, wide) == (name, bits)),
                None)  # fmt: skip


class Segment(NamedTuple):
    """One program header."""

    p_type: int
    p_flags: int
    p_offset: int
    p_vaddr: int
    p_paddr: int
    p_filesz: int
    p_memsz: int
    p_align: int


_STEPS = 4  # of work, for all that is done with a program header


class _Layout(NamedTuple):
    ehdr: str  # from e_type on
    phdr: str
    shdr_size: int
    sh_info: int  # its offset in a section header
    shdr: str  # sh_type, sh_offset, sh_size
    absent: int  # the p_offset by which QEMU says: not in the file


_SECTIONS = 4
_LAYOUTS = {
    32: _Layout("2H5I6H", "8I", 40, 28, "4xI8x2I", 0xFFFFFFFF),
    64: _Layout("2HI3QI6H", "2I6Q", 64, 44, "4xI16x2Q", 0xFFFFFFFFFFFFFFFF),
}


class SegmentTable:
    """The program header table: its bytes, unpacked as they are asked for."""

    def __init__(self, raw: bytes, bits: int, byte_order: ByteOrder) -> None:
        self._struct = struct.Struct(("<" if byte_order == "little" else ">") + _LAYOUTS[bits].phdr)
        self._raw = raw[: len(raw) // self._struct.size * self._struct.size]
        self._make = Segment._make if bits == 64 else _segment32

    def __len__(self) -> int:
        return len(self._raw) // self._struct.size

    def __iter__(self) -> Iterator[Segment]:
        return map(self._make, self._struct.iter_unpack(self._raw))


def _segment32(fields: tuple[int, ...]) -> Segment:
    """A 32-bit header has p_flags in another place."""
    p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align = fields
    return Segment(p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align)


class ElfHeader(NamedTuple):
    """The ELF header and its program headers.

    ``e_phnum`` is the real count where the field itself holds PN_XNUM.
    """

    bits: int
    byte_order: ByteOrder
    osabi: int
    e_type: int
    e_machine: int
    e_phoff: int
    e_shoff: int
    e_flags: int
    e_ehsize: int
    e_phnum: int
    e_shnum: int
    segments: SegmentTable

    @property
    def arch(self) -> str:
        """The architecture's usual name, or "unknown"."""
        name = _MACHINES.get((self.e_machine, self.bits), "unknown")
        return "ppc64le" if name == "ppc64" and self.byte_order == "little" else name

    @property
    def absent(self) -> int:
        """The p_offset of a segment whose bytes aren't in the file (QEMU's dump.c)."""
        return _LAYOUTS[self.bits].absent


def read_header(source: Source) -> ElfHeader:
    """Read and check the ELF header and the program header table.

    Raises:
        UnsupportedDump: an ELF file, but no core dump.
        CorruptDump: the header contradicts itself or the file's size.
    """
    ident = source.exactly(0, 16, "the ELF header")
    bits, order = _class_and_order(ident, source.path)
    layout = _LAYOUTS[bits]
    ehdr = struct.Struct(("<" if order == "little" else ">") + layout.ehdr)
    fields = ehdr.unpack(source.exactly(16, ehdr.size, "the ELF header"))
    e_type, machine, _, _, phoff, shoff, flags, ehsize, phentsize, phnum, _, shnum, names = fields
    if e_type != ET_CORE:
        hint = "; this may be the vmlinux" if e_type in (2, 3) else ""
        raise UnsupportedDump(
            f"an ELF file of type {e_type}, not a core dump (type {ET_CORE}){hint}",
            path=source.path,
        )
    if not phnum:
        raise _without_segments(source, shoff + names * layout.shdr_size, bits, order)
    entry = struct.calcsize("=" + layout.phdr)
    if phentsize != entry:
        raise CorruptDump(
            f"e_phentsize is {phentsize}, not {entry}", path=source.path, offset=16 + ehdr.size - 10
        )
    if phnum == PN_XNUM:
        phnum = _real_phnum(source, phoff, shoff, bits, order)
    what = f"the table of {phnum} program headers"
    source.budget.hold(phnum * entry, what, source.path)
    source.work("reading its program headers").spend(phnum * _STEPS)
    raw = source.exactly(phoff, phnum * entry, what)
    table = SegmentTable(raw, bits, order)
    return ElfHeader(
        bits,
        order,
        ident[7],
        e_type,
        machine,
        phoff,
        shoff,
        flags,
        ehsize,
        phnum,
        shnum,
        table,
    )


def section_ends(source: Source, header: ElfHeader) -> list[int]:
    """Where the contents of its first sections end in the file; QEMU has two at most."""
    layout = _LAYOUTS[header.bits]
    words = struct.Struct(("<" if header.byte_order == "little" else ">") + layout.shdr)
    size, count = layout.shdr_size, min(header.e_shnum, _SECTIONS)
    table = source.pread(header.e_shoff, size * count) if header.e_shoff else b""
    found = (words.unpack_from(table, at) for at in range(0, len(table) - size + 1, size))
    return [offset + length for kind, offset, length in found if kind]


def _without_segments(
    source: Source, place: int, bits: int, order: ByteOrder
) -> UnsupportedDump | CorruptDump:
    """The error for a core that has sections alone, as Xen's xc_domain_dumpcore writes it.

    ``place`` is where the header of the section of names is.
    """
    width, at = (8, 24) if bits == 64 else (4, 16)
    offset, size = (
        int.from_bytes(source.pread(place + at + n * width, width), order) for n in (0, 1)
    )
    names = source.pread(offset, min(size, 4096)).split(b"\0")
    if b".note.Xen" in names:
        return UnsupportedDump(
            "this is a Xen guest's core (`xl dump-core`), which is not read here: crash reads it",
            path=source.path,
        )
    return CorruptDump("an ELF core without program headers", path=source.path, offset=0)


def _class_and_order(ident: bytes, path: str) -> tuple[int, ByteOrder]:
    bits = {1: 32, 2: 64}.get(ident[4])
    if bits is None:
        raise CorruptDump(f"EI_CLASS is {ident[4]}", path=path, offset=4)
    if ident[5] not in (1, 2):
        raise CorruptDump(f"EI_DATA is {ident[5]}", path=path, offset=5)
    return bits, "little" if ident[5] == 1 else "big"


def _real_phnum(source: Source, phoff: int, shoff: int, bits: int, order: ByteOrder) -> int:
    """The number of program headers when there are more than 65534.

    It is in sh_info of section 0 (gABI), which QEMU before 5.0 wrote wrongly. The notes,
    which QEMU puts right behind the table (a section header may lie between and is then
    read as one more segment, of type PT_NULL), bound it in any case.
    """
    layout = _LAYOUTS[bits]
    entry = struct.calcsize("=" + layout.phdr)
    info = source.pread(shoff + layout.sh_info, 4) if shoff else b""
    count = int.from_bytes(info, order) if len(info) == 4 else 0
    first = SegmentTable(source.exactly(phoff, entry, "a program header"), bits, order)
    notes = next(iter(first))
    room = (notes.p_offset - phoff) // entry if notes.p_type == PT_NOTE else count
    if count >= PN_XNUM and 0 <= room - count <= 1:
        return count
    if not PN_XNUM <= room <= source.size // entry:
        raise CorruptDump(
            f"more than {PN_XNUM - 1} program headers, but their number is nowhere",
            path=source.path,
            offset=shoff,
        )
    return room
