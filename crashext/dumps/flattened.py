# SPDX-License-Identifier: GPL-3.0-or-later
"""makedumpfile's flattened container: the image of a dump as a stream of records.

Layout: makedumpfile's IMPLEMENTATION file and ``makedumpfile_header``, QEMU's
``write_start_flat_header`` and ``write_buffer`` (dump/dump.c). All numbers big-endian.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator

from ..errors import CorruptDump, UnreadableDump, UnsupportedDump
from .intervals import PieceMap, close_up
from .source import Source

SIGNATURE = b"makedumpfile\0\0\0\0"
_HEADER_SIZE = 4096
_HEADER = struct.Struct(">16sqq")
_RECORD = struct.Struct(">qq")

# QEMU writes records of 16 KiB and makedumpfile larger ones; only their headers
# and notes are small. A file of tiny records is an attack on the index.
_FREE_RECORDS = 1 << 16
_LEAST_AVERAGE = 64
_RUN_SIZE = 160  # bytes of memory that indexing a run takes
_HOLE = 1 << 20  # bytes: a smaller hole is read like data
_BULK = 1 << 18  # bytes of the file that are read at a time when all of it is


class _Runs:
    """Runs of records of one size that go on where the one before ended, in file order.

    QEMU writes dozens of full buffers of page data between two of page descriptors.
    """

    def __init__(self) -> None:
        self.starts, self.sizes = array("Q"), array("Q")  # in the image
        self.places = array("Q")  # of the first record's data
        self.steps: dict[int, int] = {}  # the records' size, where a run has several

    def __len__(self) -> int:
        return len(self.starts)


class FlattenedSource(Source):
    """The image that the records rebuild: later records win, holes read as zeros.

    The pieces map the image to the file as if a run's records lay there without the headers
    between them; these are made up for by the runs, which are never longer for that.
    """

    flattened = True
    #: Offset in the file of the end mark; None where there is none.
    end_mark: int | None = None

    def __init__(self, inner: Source) -> None:
        """Walk the record headers of ``inner`` (the data is left unread).

        Raises:
            CorruptDump: the container's header or a record contradicts itself.
            UnsupportedDump: another type or version of the container.
            OverBudget: its index takes too much memory.
        """
        self.path = inner.path
        self._inner = inner
        self.budget = inner.budget
        self.stored = inner.stored
        self.complete = inner.complete
        self.warnings = inner.warnings
        _check_header(inner)
        runs = self._walk()
        self._places, self._steps = runs.places, runs.steps
        self._pieces = PieceMap.of(runs.starts, runs.sizes, runs.places)
        self.size = self._pieces[-1].end if len(self._pieces) else 0

    def _walk(self) -> _Runs:
        runs, records, known = _Runs(), 0, 0
        work = self.work("going through its records")
        position: int | None = _HEADER_SIZE
        while position is not None:
            try:
                position = self._walk_some(position, runs)
            except OSError as error:
                raise UnreadableDump(f"can't read: {error}", path=self.path) from None
            records += _FREE_RECORDS
            work.spend(_FREE_RECORDS)
            self.budget.hold((len(runs) - known) * _RUN_SIZE, "the index of its records", self.path)
            known = len(runs)
            self._check_average(records, position)
        return runs

    def _walk_some(self, position: int, runs: _Runs) -> int | None:
        """Walk a number of records; returns where the next one is, or None at the end.

        This loop is the cost of opening a large file: it makes one system call for each
        record and little else.
        """
        pread, unpack, end = self._inner.walker(), _RECORD.unpack, self._inner.size
        starts, sizes, places = runs.starts, runs.sizes, runs.places
        last = step = -1
        for _ in range(_FREE_RECORDS):
            header = pread(16, position)
            if len(header) < 16:
                self._cut_off(position, "the stream ends without its end mark")
                return None
            start, size = unpack(header)
            if start < 0:
                self.end_mark = position
                return None
            after = position + 16 + size
            if size < 0 or after > end:
                size = self._last_size(position, size)
                after = end
            if size == step and start - last == size:
                sizes[-1] += size
                runs.steps[len(sizes) - 1] = size
            elif size:
                starts.append(start)
                sizes.append(size)
                places.append(position + 16)
                step = size
            else:
                step = -1
            last = start
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
        found = self._in_file(offset)
        if found and size <= found[1]:
            return self._inner.pread(found[0], size)
        return self._gather(offset, min(offset + size, self.size))

    def _gather(self, offset: int, end: int) -> bytes:
        """Join what is in several records, and the zeros of holes."""
        parts = []
        while offset < end:
            found = self._in_file(offset)
            if found:
                stop = min(end, offset + found[1])
                parts.append(self._inner.pread(found[0], stop - offset))
                if len(parts[-1]) < stop - offset:
                    break  # the file shrank
            else:
                stop = min(end, self._pieces.after(offset) or end)
                parts.append(bytes(stop - offset))
            offset = stop
        return b"".join(parts)

    @property
    def container(self) -> Source:
        """The file that the records are in."""
        return self._inner

    def places(self, offset: int, size: int) -> Iterator[tuple[int, int]]:
        """Where in the file a part of the image is: offset and size, in order; holes left out."""
        end = offset + size
        while offset < end:
            found = self._in_file(offset)
            if found is None:
                offset = self._pieces.after(offset) or end
                continue
            step = min(found[1], end - offset)
            yield found[0], step
            offset += step

    def _in_file(self, offset: int) -> tuple[int, int] | None:
        """Where a byte of the image is in the file, and how many follow it there."""
        found = self._pieces.place_of(offset)
        if found is None:
            return None
        at, room = found
        run = bisect_right(self._places, at) - 1
        step = self._steps.get(run)
        if step is None:
            return found
        number, rest = divmod(at - self._places[run], step)
        rest = step - rest
        return at + number * 16, rest if rest < room else room

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What records give, the holes of the file left out, see :meth:`Source.data`."""
        yield from close_up(self._recorded(start, min(end, self.size)), _HOLE)

    def _recorded(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        while start < end:
            found = self._in_file(start)
            if found is None:
                start = self._pieces.after(start) or end
                continue
            place, room = found
            stop = min(end, start + room)
            for first, last in self._inner.data(place, place + stop - start):
                yield start + first - place, start + last - place
            start = stop

    def recorded(self) -> Iterator[tuple[int, memoryview]]:
        """All that records give, in file order: place in the image and bytes, read in bulk.

        Raises:
            CorruptDump: the file ends before its end mark, or is no longer what was opened.
        """
        position, offset, left = _HEADER_SIZE, 0, 0
        while True:
            block = memoryview(self._inner.pread(position, _BULK))
            at = min(left, len(block))
            if at:
                yield offset, block[:at]
            offset, left = offset + at, left - at
            while not left and len(block) - at >= _RECORD.size:
                offset, left = _RECORD.unpack_from(block, at)
                if offset < 0:
                    return
                at += _RECORD.size
                size = max(min(left, len(block) - at), 0)
                if size:
                    yield offset, block[at : at + size]
                offset, left, at = offset + size, left - size, at + size
            if not at or left < 0:
                raise CorruptDump("no whole record", path=self.path, offset=position)
            position += at

    def holds(self, offset: int, size: int) -> bool:
        """Whether records give it: some are lost, see :meth:`Source.holds`."""
        end = offset + size
        while not self.complete and offset < end:
            piece = self._pieces.at(offset)
            if piece is None:
                return False
            offset = piece.end
        return end <= self.size

    def identity(self) -> tuple[object, ...]:
        """That of the file, see :meth:`Source.identity`."""
        return *self._inner.identity(), "flattened"

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
