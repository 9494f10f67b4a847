# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each page of a RAM block of a migration stream is; memory goes with the pages sent."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ..budget import Budget
from .intervals import close_up

# What an entry says, if it isn't an offset in the file.
ABSENT = 0  # no page is there
DELTA = 1 << 61  # with the number of a difference to what the page was before
FILLED = 1 << 62  # with the byte that the page is full of
PACKED = 1 << 63  # with the offset of a length and zlib data

_CHUNK = 512
# Bytes of memory: of a chunk that is an array, of one that is a pair, of a place for it.
_ARRAY, _PAIR, _PLACE = 8 * _CHUNK + 128, 128, 8


class PageIndex:
    """An entry for each page, in chunks; a chunk of pages that nobody sent is None.

    A guest that never touched most of its RAM has it sent as page after page full of zeros:
    as long as a chunk's pages come in order and are alike, it is their entry and number.
    """

    def __init__(self, count: int, budget: Budget, path: str) -> None:
        """Make room for ``count`` pages.

        Raises:
            OverBudget: there isn't as much.
        """
        self._count = count
        self._budget = budget
        self._path = path
        chunks = -(-count // _CHUNK)
        self._hold(chunks * _PLACE)
        self._chunks: list[array[int] | tuple[int, int] | None] = [None] * chunks

    def _hold(self, size: int) -> None:
        self._budget.hold(size, "the index of the stream's pages", self._path)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:
        number, at = divmod(index, _CHUNK)
        chunk = self._chunks[number]
        if isinstance(chunk, array):
            return chunk[at]
        return chunk[0] if chunk and at < chunk[1] else ABSENT

    def __setitem__(self, index: int, entry: int) -> None:
        number, at = divmod(index, _CHUNK)
        chunk = self._chunks[number]
        if isinstance(chunk, array):
            chunk[at] = entry
            return
        if chunk is None:
            self._hold(_PAIR)
            chunk = entry, 0
        value, alike = chunk
        if entry == value and at <= alike:
            self._chunks[number] = value, max(alike, at + 1)
            return
        self._hold(_ARRAY)
        entries = array("Q", [value] * alike + [ABSENT] * (_CHUNK - alike))
        entries[at] = entry
        self._chunks[number] = entries

    def items(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Index and entry of the pages of ``[first, last)`` that were sent, ascending."""
        for number in range(first // _CHUNK, -(-last // _CHUNK)):
            chunk = self._chunks[number]
            if chunk is None:
                continue
            entries = chunk if isinstance(chunk, array) else [chunk[0]] * chunk[1]
            for index, entry in enumerate(entries, number * _CHUNK):
                if entry and first <= index < last:
                    yield index, entry

    def runs(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The same as half-open runs of indexes."""
        return close_up((index, index + 1) for index, _ in self.items(first, last))
