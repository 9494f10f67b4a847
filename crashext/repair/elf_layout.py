# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of an ELF core as bytes: program headers right behind the ELF header.

makedumpfile takes program headers for granted there; crash wants one PT_NOTE, the first, and
reads everything before the memory at once. Field places: elf.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from ..dumps.base import ByteOrder
from ..dumps.elf_types import ET_CORE, MAGIC, PN_XNUM, PT_NOTE, Segment, machine_of
from ..errors import UnsupportedDump
from .headers import Headers

_EV_CURRENT = 1


class _Class(NamedTuple):
    number: int  # EI_CLASS
    ehdr: struct.Struct
    phdr: struct.Struct
    shdr: struct.Struct


def _class_of(bits: int, order: ByteOrder) -> _Class:
    mark = "<" if order == "little" else ">"
    word = "Q" if bits == 64 else "I"
    phdr = "2I6Q" if bits == 64 else "8I"
    return _Class(
        bits // 32,
        struct.Struct(f"{mark}16s2HI3{word}I6H"),
        struct.Struct(mark + phdr),
        struct.Struct(f"{mark}2I4{word}2I2{word}"),
    )


class Core(NamedTuple):
    """What tells the header of one core from that of any other."""

    bits: int
    byte_order: ByteOrder
    machine: int
    osabi: int = 0
    flags: int = 0


def core_of(headers: Headers, path: str) -> Core:
    """The core that a dump with ``headers`` is written as.

    Raises:
        UnsupportedDump: no e_machine is known for the architecture of the dump at ``path``.
    """
    machine = machine_of(headers.arch, headers.bits)
    if machine is None:
        raise UnsupportedDump(
            f"no ELF core for the architecture {headers.arch} of {headers.bits} bits", path=path
        )
    return Core(headers.bits, headers.byte_order, machine)


def header_size(core: Core, segments: int) -> int:
    """Bytes of all headers, for so many program headers, PT_NOTE's included."""
    kind = _class_of(core.bits, core.byte_order)
    extra = kind.shdr.size if segments >= PN_XNUM else 0
    return kind.ehdr.size + segments * kind.phdr.size + extra


def pack(core: Core, segments: Iterable[Segment], count: int, notes: tuple[int, int]) -> bytes:
    """All headers, as they start a file: the ELF header, a PT_NOTE, then ``segments``.

    ``count`` is how many ``segments`` there are, ``notes`` the place and size of the notes. A
    section header, which is all that there is of sections, counts the segments where there
    are too many for the field itself (elf(5), PN_XNUM).
    """
    kind = _class_of(core.bits, core.byte_order)
    count += 1
    many = count >= PN_XNUM
    end = kind.ehdr.size + count * kind.phdr.size
    ident = MAGIC + bytes((kind.number, 1 if core.byte_order == "little" else 2, _EV_CURRENT))
    parts = [
        kind.ehdr.pack(
            (ident + bytes([core.osabi])).ljust(16, b"\0"),
            *(ET_CORE, core.machine, _EV_CURRENT, 0),
            *(kind.ehdr.size, end if many else 0, core.flags),
            *(kind.ehdr.size, kind.phdr.size, PN_XNUM if many else count),
            *(kind.shdr.size if many else 0, int(many), 0),
        )
    ]
    note = Segment(PT_NOTE, 0, notes[0], 0, 0, notes[1], notes[1], 0)
    parts += [kind.phdr.pack(*_fields(s, core.bits)) for s in chain((note,), segments)]
    if many:
        parts.append(kind.shdr.pack(0, 0, 0, 0, 0, 0, 0, count, 0, 0))
    return b"".join(parts)


def _fields(segment: Segment, bits: int) -> tuple[int, ...]:
    """In the order that the class has them: p_flags is elsewhere in a 32-bit one."""
    if bits == 64:
        return tuple(segment)
    kind, flags, *rest, align = segment
    return kind, *rest, flags, align
