# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of pages over the whole address space, in a fixed number of cells."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...dumps.base import Dump, Range
from ...dumps.tally import Tally
from .axis import Axis

COLUMNS, ROWS = 128, 32
CELLS = COLUMNS * ROWS
_SAMPLE = 8  # pages read in a cell, where no descriptors tell
_MOST_RANGES = 64  # of RAM, looked at in one cell


class Cell(NamedTuple):
    """``[start, end)`` of the address space; nothing in the tally where there is no RAM."""

    start: int
    end: int
    tally: Tally


class KindMap(NamedTuple):
    """The cells in ascending order, and all of them together.

    ``page_size`` is the dump's unit, in bytes.
    """

    cells: tuple[Cell, ...]
    total: Tally
    page_size: int

    @property
    def sampled(self) -> bool:
        """Whether some pages are only taken to be like those that were looked at."""
        return self.total.seen < self.total.pages


def map_kinds(dump: Dump, axis: Axis, progress: Callable[[str, float], None]) -> KindMap:
    """A tally for each cell of equal width on the axis, at page boundaries."""
    size = dump.page_size
    edges = [axis.address(number / CELLS) // size * size for number in range(CELLS)]
    edges.append(-(-axis.end // size) * size)
    cells = []
    for number in range(CELLS):
        if number % 64 == 0:
            progress("mapping kinds of pages", number / CELLS)
        start, end = edges[number], max(edges[number + 1], edges[number])
        cells.append(Cell(start, end, _tally(dump, start, end)))
    total = sum((cell.tally for cell in cells), Tally())
    return KindMap(tuple(cells), total, size)


def _tally(dump: Dump, start: int, end: int) -> Tally:
    parts = list(_within(dump.ram, start, end))
    most = max(_SAMPLE // max(len(parts), 1), 1)
    told = (dump.tally(low, high, most) for low, high in parts[:_MOST_RANGES])
    rest = sum(high - low for low, high in parts[_MOST_RANGES:]) // dump.page_size
    return sum(told, Tally(rest))


def _within(ram: Sequence[Range], start: int, end: int) -> list[tuple[int, int]]:
    first = max(bisect_right(ram, (start, 1 << 65)) - 1, 0)
    found = []
    for low, high in ram[first:]:
        if low >= end:
            break
        if high > start:
            found.append((max(low, start), min(high, end)))
    return found
