# SPDX-License-Identifier: GPL-3.0-or-later
"""The length of an array that nobody tells: what fits before the next symbol.

Between an array and the next symbol there may be padding. Where memory is written to, nothing
tells zeros that are elements from zeros that are padding; where it is read-only, elements that
are all zeros are either padding or the one that ends the array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Of how many bytes the end is looked at. A longer array is taken as it is.
_MAX_READ = 1 << 20

#: Bytes at an address, None where they can't be had.
Read = Callable[[int, int], bytes | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variable is: ``room`` is how many bytes there are up to the next symbol.

    None where that is unknown; then nothing can be measured. ``readonly`` for what the kernel
    never writes to, not for what it writes to while it starts.
    """

    vaddr: int
    room: int | None
    readonly: bool = False


def whole(place: Place, size: int, read: Read) -> int:
    """All elements of ``size`` bytes that fit."""
    return (place.room or 0) // size


def trimmed(place: Place, size: int, read: Read) -> int:
    """Without the elements of zeros at the end, where nothing is written to."""
    count = whole(place, size, read)
    if not place.readonly or count * size > _MAX_READ:
        return count
    data = read(place.vaddr, count * size)
    return -(-len(data.rstrip(b"\0")) // size) or count if data else count


def ended(place: Place, size: int, read: Read) -> int:
    """With the first of the elements of zeros at the end."""
    count = whole(place, size, read)
    return min(trimmed(place, size, read) + 1, count)


def string(place: Place, size: int, read: Read) -> int:
    """Up to the first zero, which belongs to it."""
    count = min(whole(place, size, read), _MAX_READ // size)
    data = read(place.vaddr, count * size)
    end = -1 if data is None else data.find(bytes(size))
    return whole(place, size, read) if end < 0 else end // size + 1


#: By the prefix that asks for it. The count is never more than fits.
LENGTHS: Mapping[str, Callable[[Place, int, Read], int]] = {
    "[]": trimmed,
    "[.]": ended,
    "[$]": string,
    "[*]": whole,
}
