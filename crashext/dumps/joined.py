# SPDX-License-Identifier: GPL-3.0-or-later
"""Several files as one, end to end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from .source import Source


class JoinedSource(Source):
    """The bytes of several sources; ``starts`` says where each of them begins."""

    def __init__(self, inner: Sequence[Source]) -> None:
        """Take one source or more, which share a budget."""
        self._inner = inner
        self.starts = list(accumulate((source.size for source in inner), initial=0))
        self.size = self.starts.pop()
        self.path = inner[0].path
        self.budget = inner[0].budget
        self.stored = sum(source.stored for source in inner)
        self.complete = all(source.complete for source in inner)
        self.warnings = tuple(line for source in inner for line in source.warnings)

    def _parts(self, start: int, end: int) -> Iterator[tuple[Source, int, int, int]]:
        """The sources with a part of ``[start, end)``: where they begin, and their part."""
        for index in range(max(bisect_right(self.starts, start) - 1, 0), len(self._inner)):
            source, first = self._inner[index], self.starts[index]
            low, high = max(start - first, 0), min(end - first, source.size)
            if low < high:
                yield source, first, low, high
            if end <= first + source.size:
                return

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the sources that have them, see :meth:`Source.pread`."""
        parts = [s.pread(low, high - low) for s, _, low, high in self._parts(offset, offset + size)]
        return b"".join(parts)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What each of the files has there, see :meth:`Source.data`."""
        for source, first, low, high in self._parts(start, end):
            for begin, stop in source.data(low, high):
                yield first + begin, first + stop

    def holds(self, offset: int, size: int) -> bool:
        """Whether all of them have it, see :meth:`Source.holds`."""
        parts = self._parts(offset, offset + size)
        return offset + size <= self.size and all(s.holds(a, b - a) for s, _, a, b in parts)

    def identity(self) -> tuple[object, ...]:
        """That of all files, see :meth:`Source.identity`."""
        return tuple(part for source in self._inner for part in source.identity())

    def close(self) -> None:
        """Close all files."""
        for source in self._inner:
            source.close()
