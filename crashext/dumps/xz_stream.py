# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacking .xz with bounded memory: the lzma module's own file object knows no bound."""

from __future__ import annotations

import io
import lzma
from typing import Any, BinaryIO

from ..budget import Budget

_CHUNK = 1 << 16


def decompressor(room: int) -> lzma.LZMADecompressor:
    """One that takes ``room`` bytes of memory at most, and raises LZMAError beyond."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=max(room, 1))


def refuse_dictionary(error: lzma.LZMAError, budget: Budget, path: str) -> None:
    """Name the option if it was the memory limit that ended it.

    Raises:
        OverBudget: it was.
    """
    if "limit" in str(error):
        budget.check(budget.room + 1, "the dictionary of its compression", path)


class XzReader(io.RawIOBase):
    """The streams of a .xz file one after the other, unpacked."""

    def __init__(self, file: BinaryIO, budget: Budget, path: str) -> None:
        self._file = file
        self._budget = budget
        self._path = path
        self._stream: lzma.LZMADecompressor | None = None
        self._input = b""

    def readable(self) -> bool:
        """It is, as readers ask."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what comes next; raises LZMAError, EOFError or OverBudget."""
        data = b""
        while not data and self._more():
            assert self._stream is not None
            try:
                data = self._stream.decompress(self._input, len(buffer))
            except lzma.LZMAError as error:
                refuse_dictionary(error, self._budget, self._path)
                raise
            self._input = b""
        buffer[: len(data)] = data
        return len(data)

    def _more(self) -> bool:
        """Have a stream and something for it to do; False at the end of the file."""
        if self._stream is not None and self._stream.eof:
            self._input = self._stream.unused_data
            self._stream = None
        if self._stream is not None and not self._stream.needs_input:
            return True
        self._input = self._input or self._file.read(_CHUNK)
        while self._stream is None:
            # Streams may have zeros between and behind them, four at a time.
            self._input = self._input.lstrip(b"\0") or self._file.read(_CHUNK)
            if not self._input:
                return False
            if self._input.strip(b"\0"):
                self._stream = decompressor(self._budget.room)
        if not self._input:
            raise EOFError("the stream ends before its end mark")
        return True
