# SPDX-License-Identifier: GPL-3.0-or-later
"""Going through a stream of big-endian numbers and counted strings."""

from __future__ import annotations

from .source import Source


class Ended(Exception):
    """The file ends."""


class Cursor:
    """A place in a file, read from through one buffer."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = b""
        self._start = 0
        self.offset = 0

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            Ended: there are fewer.
        """
        at = self.offset - self._start
        if not 0 <= at <= len(self._buffer) - size:
            self._buffer = self._source.pread(self.offset, max(size, 1 << 16))
            self._start = self.offset
            at = 0
            if len(self._buffer) < size:
                raise Ended
        self.offset += size
        return self._buffer[at : at + size]

    def number(self, size: int) -> int:
        """A number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def text(self) -> str:
        """A counted string."""
        return self.take(self.number(1)).decode("ascii", "backslashreplace")

    def skip(self, size: int) -> None:
        """Go over bytes, which have to be there."""
        self.go_to(self.offset + size)

    def go_to(self, offset: int) -> None:
        """Go on at a place, which has to be there."""
        self.offset = offset
        if offset > self._source.size:
            raise Ended
