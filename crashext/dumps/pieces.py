# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of memory that lie in a file as they are, one behind the other."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ..errors import MissingMemory, TruncatedPage
from .intervals import Piece, PieceMap, close_up, ram_of
from .plain import PlainDump
from .source import Source

LIMIT = 1 << 52
"""No physical address is as large."""

_PIECE = 64  # bytes of memory that a piece takes


class Pieces:
    """Where ranges of memory are, added in order of their addresses."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._starts, self._sizes, self._places = array("Q"), array("Q"), array("Q")

    @property
    def end(self) -> int:
        """First address behind the last one."""
        return self._starts[-1] + self._sizes[-1] if self._starts else 0

    def add(self, start: int, size: int, place: int) -> None:
        """Memory of ``size`` bytes from ``start`` on lies at ``place`` of the source.

        Raises:
            OverBudget: there are too many.
        """
        self._source.budget.hold(_PIECE, "a map of so many ranges", self._source.path)
        for column, value in zip(
            (self._starts, self._sizes, self._places), (start, size, place), strict=True
        ):
            column.append(value)

    def map(self) -> PieceMap:
        """All of them."""
        return PieceMap.of(self._starts, self._sizes, self._places)


class PiecesDump(PlainDump):
    """Memory and nothing about it: a subclass says where its ranges are."""

    arch = "unknown"
    byte_order = "little"
    notes = ()
    vmcoreinfo = None

    def __init__(self, source: Source, pieces: Pieces) -> None:
        """Take the memory that ``pieces`` say is in ``source``."""
        self._source = source
        self._pieces = pieces.map()
        self.path = source.path
        ranges = close_up((piece.start, piece.end) for piece in self._pieces)
        self.ram = ram_of(ranges, source.budget, self.path)
        self.complete = source.complete
        self.warnings = source.warnings

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory, straight from the source."""
        parts = []
        end = paddr + size
        while paddr < end:
            found = self._pieces.place_of(paddr) if paddr >= 0 else None
            if found is None:
                raise MissingMemory(paddr=paddr, path=self.path)
            place, left = found
            wanted = min(end - paddr, left)
            parts.append(self._source.pread(place, wanted))
            if len(parts[-1]) < wanted or not self._source.holds(place, wanted):
                raise TruncatedPage(paddr=paddr, path=self.path)
            paddr += wanted
        return b"".join(parts)

    def _memory(self) -> Iterator[Piece]:
        """The pieces, see :meth:`PlainDump._memory`."""
        yield from self._pieces

    def _extents(self) -> Iterator[tuple[int, int, int]]:
        """The pieces, cut off where the file ends, see :meth:`PlainDump._extents`."""
        for start, end, place in self._pieces:
            size = min(end - start, self._source.size - place)
            if size > 0:
                yield start, place, size

    def _cut_off(self, offset: int, what: str) -> None:
        self.complete = False
        self.warnings += (f"{self.path}: offset {offset:#x}: the file ends inside {what}",)
