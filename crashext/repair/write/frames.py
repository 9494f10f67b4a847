# SPDX-License-Identifier: GPL-3.0-or-later
"""Which page frames a new kdump has, before any page is read: a bit for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...dumps.base import Dump
from ...dumps.bitmap import Bitmap
from ...errors import UnsupportedDump

_MOST = 1 << 26  # bytes of a bitmap: 2 TiB in blocks of 4 KiB


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
        exists, left_out, zeros = bytearray(size), bytearray(size), bytearray(size)
        for start, end in dump.ram:
            _fill(exists, start // block, -(-end // block))
        for start, end, kind in dump.stretches():
            if kind == "excluded":
                _fill(left_out, start // block, -(-end // block))
            elif kind == "zero":
                _fill(zeros, -(-start // block), end // block)
        there, out = int.from_bytes(exists, "little"), int.from_bytes(left_out, "little")
        dumped = there & ~out
        self.exists = bytes(exists)
        self.dumped = bytearray(dumped.to_bytes(size, "little"))
        self.count = dumped.bit_count()
        self.filtered = bool(out)
        known = dumped & int.from_bytes(zeros, "little")
        self._zero = Bitmap(known.to_bytes(size, "little"), self.max_mapnr)
        self._other = Bitmap((dumped & ~known).to_bytes(size, "little"), self.max_mapnr)

    def spans(self, most: int) -> Iterator[Span]:
        """All dumped frames, ascending; of those to be read ``most`` at a time."""
        zeros, others = self._zero.runs(), self._cut(most)
        zero, other = next(zeros, None), next(others, None)
        while zero or other:
            if other is None or (zero and zero < other):
                assert zero is not None
                yield Span(*zero, True)
                zero = next(zeros, None)
            else:
                yield Span(*other, False)
                other = next(others, None)

    def _cut(self, most: int) -> Iterator[tuple[int, int]]:
        for first, last in self._other.runs():
            for at in range(first, last, most):
                yield at, min(at + most, last)

    def leave_out(self, frame: int) -> None:
        """Take a frame that can't be read out of the dumped ones."""
        self.dumped[frame >> 3] &= ~(1 << (frame & 7))


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
