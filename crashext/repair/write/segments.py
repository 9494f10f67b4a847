# SPDX-License-Identifier: GPL-3.0-or-later
"""Which memory an ELF core has and where it lies in the file; the PT_LOADs from that."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain

from ...dumps.base import Dump
from ...dumps.elf_types import PT_LOAD, Segment
from ...dumps.intervals import close_up
from ...errors import UnsupportedDump
from ..headers import Mapping, cut, vaddr_of

_MOST = 1 << 20  # ranges, each a program header


class Segments:
    """The ranges of a dump's memory, those left out apart; their data follow one another."""

    def __init__(self, dump: Dump) -> None:
        """Go through the dump's headers and indexes.

        Raises:
            UnsupportedDump: so many ranges that no tool would take the ELF core.
        """
        self._starts, self._ends, self._there = array("Q"), array("Q"), array("B")
        for start, end, kind in dump.stretches():
            self._add(start, end, kind != "excluded")
            if len(self._starts) > _MOST:
                raise UnsupportedDump(
                    f"more than {_MOST} ranges of its memory were left out: as an ELF core it "
                    "would need a program header for each; write a kdump",
                    path=dump.path,
                )
        self.size = sum(end - start for start, end, there in self if there)

    def _add(self, start: int, end: int, there: bool) -> None:
        if self._ends and self._ends[-1] == start and self._there[-1] == there:
            self._ends[-1] = end
            return
        self._starts.append(start)
        self._ends.append(end)
        self._there.append(there)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self._starts, self._ends, self._there, strict=True)

    def loads(
        self, place: int, lost: Sequence[tuple[int, int]], mappings: Sequence[Mapping]
    ) -> Iterator[Segment]:
        """The PT_LOADs for data from ``place`` of the file on, without the ``lost`` ranges.

        Memory that no mapping shows has p_vaddr 0, which makedumpfile takes for none; without
        any mapping it has p_vaddr = p_paddr, as QEMU writes it. p_align is 0, by which crash
        tells these cores from netdump's.
        """
        for start, end, at, there in self._pieces(place, lost):
            for low, high in cut(start, end, mappings):
                vaddr = (vaddr_of(low, mappings) or 0) if mappings else low
                yield _load(low, high, at + (low - start if there else 0), vaddr, there)

    def _pieces(
        self, place: int, lost: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, int, int, bool]]:
        """Ranges with their places, cut where something in them was lost."""
        holes = chain(lost, [(1 << 65, 1 << 65)])
        hole = next(holes)
        for start, end, there in self:
            at = start
            while there and hole[0] < end:
                low, high = max(hole[0], at), min(hole[1], end)
                if at < low:
                    yield at, low, place + at - start, True
                if low < high:
                    yield low, high, place + low - start, False
                    at = high
                if hole[1] > end:
                    break
                hole = next(holes)
            if at < end:
                yield at, end, place + at - start, bool(there)
            place += end - start if there else 0


def joined(ranges: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Ascending ranges, joined over gaps so that ``most`` at most are left, one at least."""
    kept, gap = list(close_up(ranges)), 1
    while len(kept) > max(most, 1):
        gap *= 4
        kept = list(close_up(kept, gap))
    return kept


def _load(start: int, end: int, offset: int, vaddr: int, there: bool) -> Segment:
    size = end - start
    return Segment(PT_LOAD, 0, offset, vaddr, start, size if there else 0, size, 0)
