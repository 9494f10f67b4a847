# SPDX-License-Identifier: GPL-3.0-or-later
"""Searching memory that lies in the file as it is: ELF cores and raw memory.

What is searched are the bytes that the file has: each once, wherever a header says that
they are, and none of its holes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from .base import Dump, Range, Stretch
from .intervals import Piece, few
from .source import Source

_CHUNK = 1 << 20
_BATCH = 256  # small parts that one thread searches at a time


class PlainDump(Dump):
    """A dump whose pages are neither compressed nor indexed."""

    page_size = 4096
    _source: Source

    @abstractmethod
    def _extents(self) -> Iterator[tuple[int, int, int]]:
        """Address, place in the file and size of stored memory, ascending.

        A place comes once, though several addresses may have it.
        """

    @abstractmethod
    def _memory(self) -> Iterator[Piece]:
        """Every address that has a place in the file, with that place, ascending."""

    def identity(self) -> tuple[object, ...]:
        """That of the file, see :meth:`Dump.identity`."""
        return self._source.identity()

    def _held(self) -> Iterator[Stretch]:
        """What has a place in the file, whose holes are zeros, see :meth:`Dump.stretches`."""
        source, size = self._source, self.page_size
        for start, end, place in self._memory():
            if not source.holds(place, end - start):
                yield Stretch(start, end, "stored")  # cut off, or records are lost
                continue
            at = start
            for first, last in source.data(place, place + end - start):
                # Where the file isn't aligned as the memory is, holes end within pages.
                below = max((start + first - place) // size * size, at)
                above = min(-(-(start + last - place) // size) * size, end)
                if at < below:
                    yield Stretch(at, below, "zero")
                yield Stretch(below, above, "stored")
                at = above
            if at < end:
                yield Stretch(at, end, "zero")

    @cached_property
    def stored(self) -> tuple[Range, ...]:
        """What the file has, its holes left out, see :attr:`Dump.stored`."""
        return few((start, start + size) for start, _, size in self._written())

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every stored page, see :meth:`Dump.page_heads`."""
        step = self.page_size
        size = min(size, step)
        for start, place, length in self._parts():
            chunk = self._source.pread(place, length)
            for at in range(0, len(chunk) - size + 1, step):
                yield start + at, chunk[at : at + size]

    def pages_with(
        self,
        marks: Sequence[tuple[int, bytes]],
        *,
        stored: range | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Addresses of the pages that hold a mark, see :meth:`Dump.pages_with`."""
        from .marks import in_chunk, spread

        def search(batch: list[tuple[int, int, int]]) -> tuple[int, list[int]]:
            found: list[int] = []
            for start, place, size in batch:
                chunk = self._source.pread(place, size)
                found += [start + at for at in in_chunk(chunk, self.page_size, marks)]
            return batch[0][0], found

        end = max((r.end for r in self.ram), default=1)
        for count, (start, found) in enumerate(spread(search, self._batches())):
            if progress is not None and count % 64 == 0:
                progress(start / end)
            yield from found

    def _parts(self) -> Iterator[tuple[int, int, int]]:
        """Stored memory from page boundaries on: address, place in the file, size."""
        for first, place, size in self._written():
            skip = -first % self.page_size
            for at in range(skip, size, _CHUNK):
                yield first + at, place + at, min(_CHUNK, size - at)

    def _batches(self) -> Iterator[list[tuple[int, int, int]]]:
        """The parts, small ones together: handing one to another thread takes 0.1 ms."""
        batch: list[tuple[int, int, int]] = []
        size = 0
        for part in self._parts():
            batch.append(part)
            size += part[2]
            if size >= _CHUNK or len(batch) == _BATCH:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _written(self) -> Iterator[tuple[int, int, int]]:
        """The extents without the holes of the file; pages that begin in one are kept."""
        for start, place, size in self._extents():
            for first, last in self._source.data(place, place + size):
                paddr = start + first - place
                spare = min(paddr % self.page_size, first - place)
                yield paddr - spare, first - spare, last - first + spare

    def close(self) -> None:
        """Close the file."""
        self._source.close()
