# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges that touch or overlap, made disjoint."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice
from operator import gt
from typing import NamedTuple

from .base import Range


def union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The given ranges sorted, with those that touch or overlap joined; empty ones dropped."""
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1].end:
            joined[-1] = Range(joined[-1].start, max(joined[-1].end, end))
        elif start < end:
            joined.append(Range(start, end))
    return tuple(joined)


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
        first = array("Q", [starts[index] for index in order])
        last = array("Q", [starts[index] + sizes[index] for index in order])
        if any(map(gt, last, islice(first, 1, None))):
            return _overlay(order, starts, sizes, places)
        return cls(first, last, array("Q", [places[index] for index in order]))

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
