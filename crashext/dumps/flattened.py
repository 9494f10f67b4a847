# SPDX-License-Identifier: GPL-3.0-or-later
"""makedumpfile's flattened container: the image of a dump as a stream of records.

Layout: makedumpfile's IMPLEMENTATION file and ``makedumpfile_header``, QEMU's
``write_start_flat_header`` and ``write_buffer`` (dump/dump.c). All numbers big-endian.
"""

from __future__ import annotations

import struct
from array import array

from ..errors import CorruptDump, UnreadableDump, UnsupportedDump
from .intervals import PieceMap
from .source import Source

SIGNATURE = b"makedumpfile\0\0\0\0"
_HEADER_SIZE = 4096
_HEADER = struct.Struct(">16sqq")
_RECORD = struct.Struct(">qq")

# QEMU writes records of 16 KiB and makedumpfile larger ones; only their headers
# and notes are small. A file of tiny records is an attack on the index.
_FREE_RECORDS = 1 << 16
_LEAST_AVERAGE = 64


class FlattenedSource(Source):
    """The image that the records rebuild: later records win, holes read as zeros."""

    flattened = True

    def __init__(self, inner: Source) -> None:
        """Walk the record headers of ``inner`` (the data is left unread).

        Raises:
            CorruptDump: the container's header or a record contradicts itself.
            UnsupportedDump: another type or version of the container.
        """
        self.path = inner.path
        self._inner = inner
        self.complete = inner.complete
        self.warnings = inner.warnings
        _check_header(inner)
        starts, sizes, places = self._walk()
        self._pieces = PieceMap.of(starts, sizes, places)
        self.size = self._pieces[-1].end if len(self._pieces) else 0
        self.stored = sum(sizes)

    def _walk(self) -> tuple[array[int], array[int], array[int]]:
        """Image offset, size and file offset of each record's data, in file order."""
        starts, sizes, places = array("Q"), array("Q"), array("Q")
        position: int | None = _HEADER_SIZE
        while position is not None:
            try:
                position = self._walk_some(position, starts, sizes, places)
            except OSError as error:
                raise UnreadableDump(f"can't read: {error}", path=self.path) from None
            self._check_average(len(starts), position)
        return starts, sizes, places

    def _walk_some(
        self, position: int, starts: array[int], sizes: array[int], places: array[int]
    ) -> int | None:
        """Walk a number of records; returns where the next one is, or None at the end.

        This loop is the cost of opening a large file: it makes one system call for each
        record and little else.
        """
        pread, unpack, end = self._inner.walker(), _RECORD.unpack, self._inner.size
        for _ in range(_FREE_RECORDS):
            header = pread(16, position)
            if len(header) < 16:
                self._cut_off(position, "the stream ends without its end mark")
                return None
            start, size = unpack(header)
            if start < 0:
                return None
            after = position + 16 + size
            if size < 0 or after > end:
                size = self._last_size(position, size)
            if size:
                starts.append(start)
                sizes.append(size)
                places.append(position + 16)
            position = after
        return position

    def _last_size(self, position: int, size: int) -> int:
        """What there is of a record that is longer than the file."""
        if size < 0:
            raise CorruptDump(f"a record of size {size}", path=self.path, offset=position)
        self._cut_off(position, f"the file ends inside a record of {size} bytes")
        return max(self._inner.size - position - 16, 0)

    def _cut_off(self, position: int, problem: str) -> None:
        if self.complete:
            self.complete = False
            self.warnings += (f"{self.path}: offset {position:#x}: {problem}",)

    def _check_average(self, records: int, position: int | None) -> None:
        if position is not None and position < records * _LEAST_AVERAGE:
            raise CorruptDump(
                f"{records} records of under {_LEAST_AVERAGE} bytes each: no dump is written so",
                path=self.path,
                offset=position,
            )

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the image, see :meth:`Source.pread`."""
        piece = self._pieces.at(offset)
        if piece and offset + size <= piece.end:
            return self._inner.pread(piece.place + offset - piece.start, size)
        return self._gather(offset, max(0, min(size, self.size - offset)))

    def _gather(self, offset: int, size: int) -> bytes:
        """Join pieces and the zeros of holes."""
        parts = []
        end = offset + size
        while offset < end:
            piece = self._pieces.at(offset)
            if piece:
                stop = min(end, piece.end)
                parts.append(self._inner.pread(piece.place + offset - piece.start, stop - offset))
            else:
                stop = min(end, self._pieces.after(offset) or end)
                parts.append(bytes(stop - offset))
            offset = stop
        return b"".join(parts)

    def close(self) -> None:
        """Close the file."""
        self._inner.close()


def unwrap(source: Source) -> Source | None:
    """The image inside ``source`` if that is a flattened container, else None."""
    return FlattenedSource(source) if source.pread(0, 16) == SIGNATURE else None


def _check_header(source: Source) -> None:
    _, kind, version = _HEADER.unpack(
        source.exactly(0, _HEADER.size, "the header of the flattened container")
    )
    if (kind, version) != (1, 1):
        raise UnsupportedDump(
            f"a flattened container of type {kind}, version {version}; known is 1, 1",
            path=source.path,
            offset=16,
        )
