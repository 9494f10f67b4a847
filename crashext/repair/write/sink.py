# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the bytes of a new dump go: a file, or a stream that can't seek."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

# makedumpfile's flattened format: struct makedumpfile_header in a block of 4096 bytes, then
# struct makedumpfile_data_header (offset, buf_size) and data; -1, -1 at the end. Big-endian.
_SIGNATURE = b"makedumpfile".ljust(16, b"\0")
_TYPE = _VERSION = 1
_START = 4096
_RECORD = 1 << 18  # bytes in a record at most
_BLOCK = 4096
_ZEROS = bytes(_BLOCK)
_MOST_PARTS = 512  # of one call; Linux takes 1024 (UIO_MAXIOV)


Data = bytes | bytearray | memoryview


class Sink(ABC):
    """Takes bytes at any position; what is never written reads as zeros.

    ``written`` counts the bytes that went out so far. All methods raise OSError as the
    system does: a full disk is ENOSPC, a reader that went away BrokenPipeError.
    """

    written: int = 0

    @abstractmethod
    def write(self, offset: int, data: Data) -> None:
        """Put ``data`` at ``offset`` of the image."""

    def join(self, offset: int, parts: Sequence[Data]) -> None:
        """Put ``parts`` one behind the other from ``offset`` on; zeros need not become holes."""
        for part in parts:
            self.write(offset, part)
            offset += len(part)

    @abstractmethod
    def finish(self, size: int) -> None:
        """All is written, and the image has ``size`` bytes."""


class FileSink(Sink):
    """A regular file that is empty as yet, by its descriptor, which stays the caller's."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, offset: int, data: Data) -> None:
        """Write it; blocks of zeros become holes."""
        for at, part in _parts_with_data(offset, memoryview(data)):
            place = at
            while part:
                done = os.pwrite(self._fd, part, place)
                place, part = place + done, part[done:]  # noqa: PLW2901
                self.written += done

    def join(self, offset: int, parts: Sequence[Data]) -> None:
        """Write them at once."""
        if len(parts) > _MOST_PARTS:
            parts = [b"".join(parts)]
        done = os.pwritev(self._fd, parts, offset)
        self.written += done
        if done < sum(map(len, parts)):
            rest = memoryview(b"".join(parts))[done:]
            self.write(offset + done, rest)

    def finish(self, size: int) -> None:
        """Give the file its size, should it end in a hole."""
        os.ftruncate(self._fd, size)


class FlatSink(Sink):
    """A stream, by its descriptor: the image flattened, in the order in which it comes."""

    def __init__(self, fd: int) -> None:
        """Write the container's header."""
        self._fd = fd
        self._end = 0
        head = _SIGNATURE + _TYPE.to_bytes(8, "big") + _VERSION.to_bytes(8, "big")
        self._out(head.ljust(_START, b"\0"))

    def write(self, offset: int, data: Data) -> None:
        """Write it as records; blocks of zeros are left to the reader."""
        for at, part in _parts_with_data(offset, memoryview(data)):
            for start in range(0, len(part), _RECORD):
                self._record(at + start, part[start : start + _RECORD])

    def _record(self, offset: int, data: Data) -> None:
        self._out(offset.to_bytes(8, "big") + len(data).to_bytes(8, "big"))
        self._out(data)
        self._end = max(self._end, offset + len(data))

    def finish(self, size: int) -> None:
        """Write the end mark, before it a zero should the image end in a hole."""
        if self._end < size:
            self._record(size - 1, b"\0")
        self._out(b"\xff" * 16)

    def _out(self, data: Data) -> None:
        view = memoryview(data)
        while view:
            done = os.write(self._fd, view)
            view = view[done:]
            self.written += done


def _parts_with_data(offset: int, data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """What is left of ``data`` without the blocks of the image that it fills with zeros."""
    start = 0
    for at in range(-offset % _BLOCK, len(data) - _BLOCK + 1, _BLOCK):
        # Looking at one byte first spares most blocks the copy.
        if data[at] == 0 and bytes(data[at : at + _BLOCK]) == _ZEROS:
            if start < at:
                yield offset + start, data[start:at]
            start = at + _BLOCK
    if start < len(data):
        yield offset + start, data[start:]
