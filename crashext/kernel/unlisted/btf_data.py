# SPDX-License-Identifier: GPL-3.0-or-later
"""BTF by what it begins with, where no symbol says where it lies."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ...dumps.base import ByteOrder
from ...errors import TypesError
from ...symbols.btf import Btf
from .blocks import Copy

_MAGIC, _VERSION = 0xEB9F, 1
_HEADER = "HBBIIIII"  # struct btf_header (uapi/linux/btf.h)
#: A kernel's; those of BPF programs that kernels carry with them have some KiB.
_FEWEST, _MOST = 1 << 18, 64 << 20
_MOST_FOUND = 4
#: What every kernel has, and few others.
_KNOWN = ("task_struct", "mm_struct", "list_head")


class Types(NamedTuple):
    """A kernel's types, and where they start and end."""

    btf: Btf
    start: int
    end: int


def find_btf(copy: Copy, byte_order: ByteOrder) -> Types | None:
    """A kernel's types in a copy of its memory; None where there are none, or several."""
    found = []
    for at, size in _candidates(copy, byte_order):
        btf = _kernels(bytes(copy.block[at : at + size]))
        if btf is not None:
            found.append(Types(btf, copy.vaddr + at, copy.vaddr + at + size))
        if len(found) > 1:
            return None
    return found[0] if found else None


def _candidates(copy: Copy, byte_order: ByteOrder) -> Iterator[tuple[int, int]]:
    """Few: headers that fit in, and that say so much as a kernel has."""
    form = struct.Struct(("<" if byte_order == "little" else ">") + _HEADER)
    block, start = copy.block, _MAGIC.to_bytes(2, byte_order) + bytes([_VERSION, 0])
    at, left = block.find(start), _MOST_FOUND
    while at >= 0 and at + form.size <= len(block) and left:
        _, _, _, length, types, type_size, strings, string_size = form.unpack_from(block, at)
        size = length + strings + string_size
        sound = length == form.size and not types and type_size == strings
        if sound and _FEWEST <= size <= min(_MOST, len(block) - at):
            left -= 1
            yield at, size
        at = block.find(start, at + 1)


def _kernels(data: bytes) -> Btf | None:
    try:
        btf = Btf(data)
        btf.check()
        return btf if all(btf.sizeof(name) for name in _KNOWN) else None
    except TypesError:
        return None
