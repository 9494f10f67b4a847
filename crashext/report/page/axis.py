# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses to places on a line: to scale, but for holes that would leave nothing to be seen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ...dumps.base import Range

#: Holes are shortened that are larger than this part of all that is no hole.
_LARGE = 0.5
_MOST_FOLDS = 12
_FOLD = 0.02  # of the line


class Part(NamedTuple):
    """Addresses ``[start, end)``, drawn between ``left`` and ``right`` of 0 to 1."""

    start: int
    end: int
    left: float
    right: float
    folded: bool


class Axis:
    """A line over all addresses from the first byte of RAM to the last.

    Attributes:
        parts: ascending, without gaps; those that are folded are holes.
    """

    def __init__(self, ram: Sequence[Range]) -> None:
        """Over RAM, or over one page where there is none."""
        start = ram[0].start if ram else 0
        end = max((r.end for r in ram), default=start + 4096)
        total = sum(r.size for r in ram)
        holes = [Range(a.end, b.start) for a, b in pairwise(ram)]
        large = sorted((h for h in holes if h.size > total * _LARGE), key=lambda h: -h.size)
        folds = sorted(large[:_MOST_FOLDS])
        edges = [start, *(edge for hole in folds for edge in hole), end]
        drawn = sum(b - a for a, b in zip(edges[::2], edges[1::2], strict=True))
        scale = (1 - _FOLD * len(folds)) / max(drawn, 1)
        self.parts: list[Part] = []
        left = 0.0
        for index, (low, high) in enumerate(pairwise(edges)):
            folded = index % 2 == 1
            right = left + (_FOLD if folded else (high - low) * scale)
            self.parts.append(Part(low, high, left, right, folded))
            left = right
        self._starts = [part.start for part in self.parts]

    @property
    def start(self) -> int:
        """The first address."""
        return self.parts[0].start

    @property
    def end(self) -> int:
        """Behind the last address."""
        return self.parts[-1].end

    def holds(self, address: int) -> bool:
        """Whether it is on the line."""
        return self.start <= address < self.end

    def at(self, address: int) -> float:
        """Where it is drawn, 0 to 1; what lies outside is at the nearer end."""
        address = min(max(address, self.start), self.end)
        part = self.parts[max(bisect_right(self._starts, address) - 1, 0)]
        size = max(part.end - part.start, 1)
        return part.left + (part.right - part.left) * (address - part.start) / size

    def address(self, place: float) -> int:
        """What is drawn at a place."""
        part = next((p for p in self.parts if place <= p.right), self.parts[-1])
        width = part.right - part.left or 1.0
        return part.start + int((place - part.left) / width * (part.end - part.start))

    def ticks(self, most: int) -> list[int]:
        """Round addresses on the line: multiples of a power of two, where it is to scale."""
        straight = [part for part in self.parts if not part.folded]
        drawn = sum(part.end - part.start for part in straight)
        step = 4096
        while drawn > step * most:
            step *= 2
        return [at for p in straight for at in range(-(-p.start // step) * step, p.end + 1, step)]

    def written(self) -> str:
        """For the page's script: of each part start and end in hex, left, right, folded."""
        return " ".join(
            f"{p.start:x},{p.end:x},{p.left!r},{p.right!r},{int(p.folded)}" for p in self.parts
        )
