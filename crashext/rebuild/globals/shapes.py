# SPDX-License-Identifier: GPL-3.0-or-later
"""From a type as the table writes it to one of a kernel's own types, where that fits."""

from __future__ import annotations

from ..shape import Shape, Wrap
from .expression import Expression, Length
from .measure import LENGTHS, Place, Read
from .names import Names

#: Bytes of a variable: the room comes from a guest, and may be any number or unknown.
_MOST = 1 << 31


def resolve(expression: Expression, names: Names, place: Place, read: Read) -> Shape | None:
    """The type of a variable, if the kernel has it and it fits into its place.

    None for a type that BTF lacks, that has no size, or that is larger than its room. An array
    whose length would have to be measured has none where the room is unknown.
    """
    most = _MOST if place.room is None else min(place.room, _MOST)
    base = names.find(expression)
    if base is None:
        return None
    size = names.size(base)
    wraps: list[Wrap] = []
    for prefix in reversed(expression.prefixes):
        if isinstance(prefix, Length) and prefix.how and place.room is None and size:
            if prefix is not expression.prefixes[0]:
                return None
            wraps.append(None)
        elif isinstance(prefix, Length):
            count = _count(prefix, names, place, size, read) if size else None
            if count is None or size is None:
                return None
            wraps.append(count)
            size *= count
            if size > most:
                return None
        else:
            wraps.append(prefix)
            size = names.btf.word if prefix == "pointer" else size
    if size is None or size > most:
        return None
    return Shape(tuple(reversed(wraps)), base)


def _count(length: Length, names: Names, place: Place, size: int, read: Read) -> int | None:
    """Elements of ``size`` bytes; None where nothing says how many, or where there is none."""
    if length.how:
        return LENGTHS[length.how](place, size, read) or None if place.room else None
    known = names.enumerator(length.enumerator) if length.enumerator else 0
    count = None if known is None else known + length.number
    return None if count is None or count < 1 else count
