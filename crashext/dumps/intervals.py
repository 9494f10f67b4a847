# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges that touch or overlap, made disjoint."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice
from operator import add, gt, sub
from typing import NamedTuple

from ..budget import Budget
from .base import Range

MOST = 1 << 16
"""Ranges that are told apart of what is stored."""

_RANGE = 1 << 10  # bytes of memory that a range takes in the answer that lists it as JSON


def union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The given ranges sorted, with those that touch or overlap joined; empty ones dropped."""
    return tuple(Range(*r) for r in close_up(sorted(r for r in ranges if r.start < r.end)))


def close_up(ranges: Iterable[tuple[int, int]], gap: int = 1) -> Iterator[tuple[int, int]]:
    """Ranges in order of their starts, those joined between which less than ``gap`` lies."""
    start = end = -gap
    for first, last in ranges:
        if first - end < gap:
            end = max(end, last)
            continue
        if start >= 0:
            yield start, end
        start, end = first, last
    if start >= 0:
        yield start, end


def few(ranges: Iterable[tuple[int, int]]) -> tuple[Range, ...]:
    """Sorted disjoint ranges, so many joined over small gaps that ``MOST`` at most are left."""
    kept: list[Range] = []
    gap = 1
    for start, end in ranges:
        if kept and start - kept[-1].end < gap:
            kept[-1] = Range(kept[-1].start, end)
            continue
        kept.append(Range(start, end))
        while len(kept) > MOST:
            gap *= 4
            kept = [Range(*r) for r in close_up(kept, gap)]
    return tuple(kept)


def ram_of(ranges: Iterable[tuple[int, int]], budget: Budget, path: str) -> tuple[Range, ...]:
    """What the dump at ``path`` describes as RAM: sorted, disjoint.

    Raises:
        OverBudget: so many ranges that the answers which list them would not fit.
    """
    ram: list[Range] = []
    for start, end in ranges:
        budget.hold(_RANGE, "a list of so many separate RAM ranges", path)
        ram.append(Range(start, end))
    return tuple(ram)


class Piece(NamedTuple):
    """``[start, end)`` of an address space, held at ``place`` of another."""

    start: int
    end: int
    place: int


class PieceMap:
    """A sorted map from disjoint address ranges to places; 24 bytes for each piece."""

    def __init__(self, starts: array[int], ends: array[int], places: array[int]) -> None:
        """Keep the columns as they are: sorted by start, disjoint."""
        self._starts = starts
        self._ends = ends
        self._places = places

    @classmethod
    def of(cls, starts: Sequence[int], sizes: Sequence[int], places: Sequence[int]) -> PieceMap:
        """Map each ``[start, start + size)`` to its place; where two overlap the later wins."""
        order = sorted(range(len(starts)), key=starts.__getitem__)
        first = array("Q", map(starts.__getitem__, order))
        last = array("Q", map(add, first, map(sizes.__getitem__, order)))
        if any(map(gt, last, islice(first, 1, None))):
            return _overlay(order, starts, sizes, places)
        return cls(first, last, array("Q", map(places.__getitem__, order)))

    def by_place(self) -> PieceMap:
        """The map the other way round; of the addresses that share a place the lowest stays."""
        sizes = array("Q", map(sub, self._ends, self._starts))
        return PieceMap.of(self._places[::-1], sizes[::-1], self._starts[::-1])

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> Piece:
        return Piece(self._starts[index], self._ends[index], self._places[index])

    def __iter__(self) -> Iterator[Piece]:
        return map(Piece, self._starts, self._ends, self._places)

    def at(self, address: int) -> Piece | None:
        """The piece that holds ``address``, or None."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self._ends[index]:
            return self[index]
        return None

    def place_of(self, address: int) -> tuple[int, int] | None:
        """The place of ``address``, and how many bytes of its piece are left from there on."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self._ends[index]:
            return self._places[index] + address - self._starts[index], self._ends[index] - address
        return None

    def after(self, address: int) -> int | None:
        """The start of the first piece beyond ``address``, or None."""
        index = bisect_right(self._starts, address)
        return self._starts[index] if index < len(self._starts) else None


def _overlay(
    order: Sequence[int], starts: Sequence[int], sizes: Sequence[int], places: Sequence[int]
) -> PieceMap:
    """Sweep over the starts; a heap of the open ranges has the latest one on top."""
    columns = array("Q"), array("Q"), array("Q")
    heap: list[int] = []
    position = 0

    def sweep(until: int | None) -> None:
        nonlocal position
        while heap and (until is None or position < until):
            index = -heap[0]
            end = starts[index] + sizes[index]
            if end <= position:
                heappop(heap)
                continue
            stop = end if until is None else min(end, until)
            place = places[index] + position - starts[index]
            for column, value in zip(columns, (position, stop, place), strict=True):
                column.append(value)
            position = stop

    for index in order:
        sweep(starts[index])
        position = max(position, starts[index])
        heappush(heap, -index)
    sweep(None)
    return PieceMap(*columns)
