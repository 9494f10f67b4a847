# SPDX-License-Identifier: GPL-3.0-or-later
"""Which page frames a new kdump has, before any page is read: a bit for each."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import NamedTuple

from ...dumps.base import Dump
from ...dumps.bitmap import Bitmap
from ...errors import UnsupportedDump

_MOST = 1 << 26  # bytes of a bitmap: 2 TiB in blocks of 4 KiB
_PART = 1 << 18  # bytes of bitmaps that are looked at as one number


class Span(NamedTuple):
    """Frames ``[first, last)`` that are dumped; ``zero`` where they are known to be zeros."""

    first: int
    last: int
    zero: bool


class Frames:
    """The frames of ``dump`` in blocks of ``block`` bytes.

    Attributes:
        exists: bitmap of those with memory, partly or whole.
        dumped: bitmap of those that were not left out. A block of which only a part was left
            out is left out: what would stand for that part, nobody could tell from zeros.
        count: how many are dumped.
        max_mapnr: the frame behind the last one.
        filtered: whether any was left out.
    """

    def __init__(self, dump: Dump, block: int) -> None:
        """Go through the dump's headers and indexes.

        Raises:
            UnsupportedDump: memory goes up so high that the bitmaps get too large.
        """
        self.max_mapnr = -(-dump.ram[-1].end // block) if dump.ram else 0
        size = -(-self.max_mapnr // 8)
        if size > _MOST:
            raise UnsupportedDump(
                f"it has memory at {dump.ram[-1].start:#x}, for which a kdump needs bitmaps of "
                f"{size} bytes: write an ELF core",
                path=dump.path,
            )
        self.exists, self.dumped, self._zeros = bytearray(size), bytearray(size), bytearray(size)
        left_out, self.filtered, self.count = self.dumped, False, 0
        for start, end in dump.ram:
            _fill(self.exists, start // block, -(-end // block))
        for start, end, kind in dump.stretches():
            if kind == "excluded":
                self.filtered = True
                _fill(left_out, start // block, -(-end // block))
            elif kind == "zero":
                _fill(self._zeros, -(-start // block), end // block)
        for at in range(0, size, _PART):
            part = slice(at, min(at + _PART, size))
            there = _number(self.exists[part]) & ~_number(left_out[part])
            self.dumped[part] = there.to_bytes(part.stop - at, "little")
            self.count += there.bit_count()

    def spans(self, most: int) -> Iterator[Span]:
        """All dumped frames, ascending; of those to be read ``most`` at a time."""
        for at in range(0, len(self.dumped), _PART):
            there = _number(self.dumped[at : at + _PART])
            zeros = there & _number(self._zeros[at : at + _PART])
            known = ((first, last, True) for first, last in _runs(zeros))
            others = ((first, last, False) for first, last in _runs(there & ~zeros))
            for first, last, zero in merge(known, others):
                step = last - first if zero else most
                for frame in range(at * 8 + first, at * 8 + last, step):
                    yield Span(frame, min(frame + step, at * 8 + last), zero)

    def leave_out(self, frame: int) -> None:
        """Take a frame that can't be read out of the dumped ones."""
        self.dumped[frame >> 3] &= ~(1 << (frame & 7))


def _number(bits: bytearray) -> int:
    return int.from_bytes(bits, "little")


def _runs(number: int) -> Iterator[tuple[int, int]]:
    """The half-open runs of bits that are set, ascending."""
    return Bitmap(number.to_bytes(_PART, "little"), 8 * _PART).runs()


def _fill(bits: bytearray, first: int, last: int) -> None:
    """Set the bits ``[first, last)``."""
    if first >= last:
        return
    start, stop = first >> 3, last >> 3
    head, tail = 0xFF << (first & 7) & 0xFF, (1 << (last & 7)) - 1
    if start == stop:
        bits[start] |= head & tail
        return
    bits[start] |= head
    bits[start + 1 : stop] = b"\xff" * (stop - start - 1)
    if tail:
        bits[stop] |= tail
