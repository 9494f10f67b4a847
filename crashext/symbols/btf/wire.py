# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of BTF: its header, and where each type's record begins.

From the kernel's include/uapi/linux/btf.h. Two widths are those of kernels since 2026, which made
use of bits that were zero before: 24 bits for the number of members, 7 for the kind. The same
kernels may add a section that says how long the records of each kind are, so that a reader can
step over kinds that it does not know.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass
from enum import IntEnum
from itertools import repeat
from typing import Literal

from ...errors import TypesError

MAX_TYPES = 0xFFFFF
"""BTF_MAX_TYPE: the kernel takes no more types itself, a split BTF's base included."""
MAX_STRINGS = 1 << 24
"""BTF_MAX_NAME_OFFSET, likewise: bytes of all strings."""
VLEN = 0xFFFFFF
"""Of a record's info word: how many members, enumerators or parameters follow."""


class Kind(IntEnum):
    """BTF_KIND_*; VOID is type 0, which has no record."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


#: Words of a record: the common three and what always follows; and for each of ``vlen``.
_WORDS = dict.fromkeys(Kind, (3, 0)) | {
    Kind.INT: (4, 0),
    Kind.ARRAY: (6, 0),
    Kind.STRUCT: (3, 3),
    Kind.UNION: (3, 3),
    Kind.ENUM: (3, 2),
    Kind.FUNC_PROTO: (3, 2),
    Kind.VAR: (4, 0),
    Kind.DATASEC: (3, 3),
    Kind.DECL_TAG: (4, 0),
    Kind.ENUM64: (3, 3),
}
_KINDS = 128
#: The step of a kind that nobody described: past the end of anything.
_UNKNOWN = 1 << 40
_MAGIC: dict[bytes, Literal["little", "big"]] = {b"\x9f\xeb": "little", b"\xeb\x9f": "big"}
_HEADER = 24


@dataclass(frozen=True, slots=True)
class Header:
    """Where the sections of a blob lie: byte offsets from its beginning, and sizes."""

    byte_order: Literal["little", "big"]
    types_at: int
    types: int
    strings_at: int
    strings: int
    layout_at: int
    layout: int


def read_header(data: bytes) -> Header:
    """Read ``struct btf_header``.

    Raises:
        TypesError: it is none, or a section lies outside of ``data``.
    """
    order = _MAGIC.get(bytes(data[:2]))
    if order is None or len(data) < _HEADER:
        raise TypesError("no BTF header", offset=0)
    mark = "<" if order == "little" else ">"
    version, _, length, *sections = struct.unpack_from(mark + "BB5I", data, 2)
    if version != 1:
        raise TypesError(f"version {version}, which nobody has defined", offset=2)
    if not _HEADER <= length <= len(data) or length % 4:
        raise TypesError(f"a header of {length} bytes", offset=4)
    sections += struct.unpack_from(mark + "2I", data, _HEADER) if length >= _HEADER + 8 else (0, 0)
    names = ("types", "strings", "layouts")
    for name, at, size in zip(names, sections[::2], sections[1::2], strict=True):
        if at + size > len(data) - length:
            raise TypesError(f"the {name} reach past the end of the data", offset=8)
    types_at, types, strings_at, strings, layout_at, layout = sections
    return Header(
        order, length + types_at, types, length + strings_at, strings, length + layout_at, layout
    )


def read_words(data: bytes, header: Header) -> array[int]:
    """The section of types as 32-bit words.

    Raises:
        TypesError: it is no whole number of words.
    """
    if header.types % 4:
        raise TypesError(f"types of {header.types} bytes, no whole words", offset=8)
    words = array("I", data[header.types_at : header.types_at + header.types])
    if header.byte_order != sys.byteorder:
        words.byteswap()
    return words


def record_sizes(data: bytes, header: Header) -> tuple[list[int], list[int]]:
    """Words of a record of each kind: always, and for each of ``vlen``.

    ``struct btf_layout`` adds kinds that this reader does not know; it changes none that it does.
    """
    always, each = [_UNKNOWN] * _KINDS, [0] * _KINDS
    for kind, (info, element) in enumerate(_layouts(data, header)):
        if info % 4 == 0 and element % 4 == 0:
            always[kind], each[kind] = 3 + info // 4, element // 4
    always[0] = _UNKNOWN
    for known, (fixed, per) in _WORDS.items():
        if known:
            always[known], each[known] = fixed, per
    return always, each


def _layouts(data: bytes, header: Header) -> list[tuple[int, int]]:
    """Bytes behind ``struct btf_type`` for each kind: in all, and for each of ``vlen``."""
    end = header.layout_at + min(header.layout // 4, _KINDS) * 4
    return [(info, element) for info, element in struct.iter_unpack(
        "BBxx", data[header.layout_at : end])]  # fmt: skip


def scan(
    words: array[int], sizes: tuple[list[int], list[int]], room: int
) -> tuple[array[int], bytearray]:
    """The word at which each record begins, and the record's kind.

    Raises:
        TypesError: a record is cut off, of an unknown kind, or there are more than ``room``; the
            offset is the section's.
    """
    always, each = sizes
    starts, kinds = array("I"), bytearray()
    at, end = 0, len(words)
    add_start, add_kind = starts.append, kinds.append
    for _ in repeat(None, room):
        if at + 2 >= end:
            break
        info = words[at + 1]
        kind = info >> 24 & 0x7F
        add_start(at)
        add_kind(kind)
        at += always[kind] + each[kind] * (info & VLEN)
    if at == end:
        return starts, kinds
    if at >= _UNKNOWN:
        raise TypesError(f"a type of the unknown kind {kinds[-1]}", offset=4 * starts[-1])
    if at > end or at + 2 >= end:
        raise TypesError("a record is cut off", offset=4 * (starts[-1] if starts else 0))
    raise TypesError(f"more than {MAX_TYPES} types")
