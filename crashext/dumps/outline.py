# SPDX-License-Identifier: GPL-3.0-or-later
"""A large kdump's page bitmaps over a network: told from a few parts of them, and proved.

QEMU's bitmaps have a run of ones for each block of the guest's RAM, and both are the same.
So where two places that were read end and begin with the same bit, all between them is taken
to be that bit. What is told so has to have exactly as many pages as the file has descriptors,
which end where the first page's data begin (QEMU dump.c ``write_dump_pages``); else both
bitmaps are read.

That proves nothing of a file that somebody made to deceive: it would have a hole where
nobody looks, and as many pages elsewhere. So it is for :attr:`Source.costly` ones alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from .bitmap import Bitmap
from .intervals import close_up
from .kdump_types import PAGE_DESC, KdumpHeader
from .source import Source

LEAST = 1 << 20
"""Bytes of a bitmap from which on it is worth it: 32 GiB of RAM in pages of 4 KiB."""

_PART = 1 << 12  # bytes of a bitmap that are looked at as one
_SAMPLES = 8  # parts that are looked at first, apart from the lowest memory
_LOWEST = 1 << 17  # bytes that are read of it: holes are below 4 GiB
_MOST_PARTS = 1024  # that are kept: 4 MiB
_MOST_MIXED = 16  # parts with ones and zeros; more have pages that were left out


class Runs:
    """A set of page frames that are few runs; answers as :class:`Bitmap` does."""

    def __init__(self, runs: Sequence[tuple[int, int]]) -> None:
        """Take half-open runs, ascending."""
        self._starts = [start for start, _ in runs]
        self._ends = [end for _, end in runs]
        self._before = list(accumulate((end - start for start, end in runs), initial=0))

    def __contains__(self, pfn: int) -> bool:
        index = bisect_right(self._starts, pfn) - 1
        return index >= 0 and pfn < self._ends[index]

    def rank(self, pfn: int) -> int:
        """How many frames below ``pfn`` are in the set."""
        index = bisect_right(self._starts, pfn) - 1
        if index < 0:
            return 0
        return self._before[index] + min(pfn, self._ends[index]) - self._starts[index]

    def __len__(self) -> int:
        return self._before[-1]

    def runs(self) -> Iterator[tuple[int, int]]:
        """The runs."""
        return zip(self._starts, self._ends, strict=True)


Frames = Bitmap | Runs
"""A set of page frames, however it was read."""


def outline(source: Source, header: KdumpHeader) -> Runs | None:
    """The frames of both bitmaps; None where they have to be read to know.

    Raises:
        CorruptDump, UnreadableDump: they can't be read.
    """
    parts = _Parts(source, header)
    if not parts.look():
        return None
    runs = Runs(list(close_up(parts.runs())))
    return runs if len(runs) in _counts(source, header) else None


def _counts(source: Source, header: KdumpHeader) -> tuple[int, ...]:
    """How many descriptors there are, if data follow them: those of zeros are first, or not."""
    start, desc = header.descriptors_offset, PAGE_DESC[header.byte_order]
    first = desc.unpack(source.exactly(start, desc.size, "a page descriptor"))[0]
    ends = (end - start for end in (first, first - header.block_size))
    return tuple(size // desc.size for size in ends if size > 0 and size % desc.size == 0)


class _Parts:
    """What was read of the bitmaps, part by part."""

    def __init__(self, source: Source, header: KdumpHeader) -> None:
        self._source = source
        self._size, self._frames = header.bitmap_bytes, header.max_mapnr
        self._first = header.bitmap_offset
        self._second = self._first + header.bitmap_blocks * header.block_size // 2
        self._known: dict[int, bytes] = {}
        self._mixed = 0

    def look(self) -> bool:
        """Read parts until all is told; False where the bitmaps are no few runs, or two sets."""
        last = (self._size - 1) // _PART
        lowest = range(min(_LOWEST // _PART, last + 1))
        samples = range(0, last, max(last // _SAMPLES, 1))
        first = sorted({*lowest, *samples, last})
        pairs = list(pairwise(first))
        if not all(self._read(part) for part in first):
            return False
        while pairs:
            low, high = pairs.pop()
            if high - low < 2 or self._known[low][-1] >> 7 == self._known[high][0] & 1:
                continue
            middle = (low + high) // 2
            if not self._read(middle):
                return False
            pairs += (low, middle), (middle, high)
        return True

    def _read(self, part: int) -> bool:
        at = part * _PART
        size = min(_PART, self._size - at)
        data = self._source.exactly(self._first + at, size, "the page bitmap")
        self._known[part] = data
        self._mixed += bool(data.strip(b"\0")) and bool(data.strip(b"\xff"))
        few = self._mixed <= _MOST_MIXED and len(self._known) <= _MOST_PARTS
        return few and data == self._source.pread(self._second + at, size)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Runs of ones, of which some go on where one before ended."""
        end, bit = 0, 0
        for part, data in sorted(self._known.items()):
            frame = part * _PART * 8
            if bit and end < frame:
                yield end, frame
            for first, last in Bitmap(data, self._frames - frame).runs():
                yield frame + first, frame + last
            end, bit = frame + len(data) * 8, data[-1] >> 7
