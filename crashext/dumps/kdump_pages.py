# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of a kdump: page descriptors, one for each dumped page, and the data behind them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from ..budget import Work
from ..errors import CorruptDump, DumpError, OtherPart, TruncatedPage, UnsupportedDump
from .codecs import COMPRESSION_FLAGS, CodecMissing, DecodeError, codec_of, decoding_steps
from .kdump_types import PAGE_DESC, KdumpHeader
from .outline import Frames
from .source import Source
from .tally import Tally, spread

_ROW = 128  # page descriptors kept at hand
_BATCH = 1024  # page descriptors looked at one by one
_STRETCH = 256  # descriptors compared at once with those of untouched memory
_TABLE = 1 << 15  # page descriptors passed over at once
_SPAN = 1 << 18  # bytes of adjacent pages read at a time
_RUN = 8  # steps that finding the descriptors of a run of pages takes


class Desc(NamedTuple):
    """``page_desc_t``."""

    offset: int
    size: int
    flags: int
    page_flags: int


class PageTable:
    """The dumped pages of one kdump file by page frame number.

    ``pfns`` are the frames that the file is about: all, or in a split dump a part of
    them, although every part has the whole bitmap.
    """

    def __init__(self, source: Source, header: KdumpHeader, dumped: Frames) -> None:
        self.path = source.path
        self._source = source
        self._header = header
        self._dumped = dumped
        self._page_size = header.block_size
        self._desc = PAGE_DESC[header.byte_order]
        self.pfns = _own_pfns(header)
        self._before = dumped.rank(self.pfns.start)
        self._count = dumped.rank(self.pfns.stop) - self._before
        self._row = -1, b""
        self._lossy = not source.complete
        self._effort = decoding_steps(self._page_size)
        self._zeros = bytes(self._page_size)

    @property
    def descriptors(self) -> range:
        """Where in the file the descriptors are, in bytes."""
        start = self._header.descriptors_offset
        return range(start, start + self._count * self._desc.size)

    def load(self, pfn: int) -> bytes:
        """The page of a frame that is in the bitmap of dumped ones.

        Raises:
            OtherPart, TruncatedPage: it isn't in this file.
            CorruptDump: it can't be decoded.
            UnsupportedDump: the library that decodes it isn't installed.
        """
        if pfn not in self.pfns:
            raise OtherPart(paddr=pfn * self._page_size, path=self.path)
        desc = self._desc_of(self._dumped.rank(pfn) - self._before)
        if desc is None or not desc.offset:
            raise TruncatedPage(paddr=pfn * self._page_size, path=self.path)
        if desc.offset == self._zero_page and not desc.flags & COMPRESSION_FLAGS:
            return self._zeros
        if desc.offset < 0 or not 0 < desc.size <= self._page_size:
            raise self._bad_page(pfn, desc, f"stored in {desc.size} bytes")
        data = self._source.pread(desc.offset, desc.size)
        if len(data) < desc.size or (self._lossy and not self._source.holds(*desc[:2])):
            raise TruncatedPage(paddr=pfn * self._page_size, path=self.path)
        return self._decode(desc, data, pfn)

    def _desc_of(self, index: int) -> Desc | None:
        """One descriptor; its neighbours stay at hand, as pages are read in rows."""
        number, index = divmod(index, _ROW)
        known, row = self._row
        if known != number:
            row = self._descs(number * _ROW, min(_ROW, self._count - number * _ROW))
            self._row = number, row  # one assignment: threads may do the same
        at = index * self._desc.size
        return Desc._make(self._desc.unpack_from(row, at)) if at < len(row) else None

    def _decode(self, desc: Desc, data: bytes, pfn: int) -> bytes:
        codec = codec_of(desc.flags)
        if codec is None:
            raise self._bad_page(pfn, desc, f"compression flags {desc.flags:#x}")
        try:
            page = codec.decode(data, self._page_size)
        except DecodeError as error:
            raise self._bad_page(pfn, desc, str(error)) from None
        except CodecMissing as error:
            raise UnsupportedDump(str(error), path=self.path) from None
        if len(page) != self._page_size:
            raise self._bad_page(pfn, desc, f"it decodes to {len(page)} bytes")
        return page

    def _bad_page(self, pfn: int, desc: Desc, problem: str) -> DumpError:
        return CorruptDump(
            f"the page at {pfn * self._page_size:#x} can't be decoded: {problem}",
            path=self.path,
            offset=desc.offset,
        )

    def heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """Frame and first bytes of each page that decodes, but the shared page of zeros."""
        size = min(size, self._page_size)
        work = self._source.work("searching its pages")
        for pfns, table in self._tables(_BATCH, work):
            descs = map(Desc._make, self._desc.iter_unpack(table))
            wanted = [
                (pfn, desc)
                for pfn, desc in zip(pfns, descs, strict=False)
                if desc.flags or desc.offset != self._zero_page
            ]
            for pfn, desc, data in self._stored(wanted):
                work.spend(self._effort)
                head = self._head(desc, data, size)
                if head is not None:
                    yield pfn, head

    def matching(
        self,
        holds: Callable[[bytes], object],
        size: int,
        stored: range | None,
        progress: Callable[[float], None] | None,
    ) -> Iterator[int]:
        """Frames of the pages whose first ``size`` bytes ``holds`` accepts.

        A compressed page whose stored size lies outside ``stored`` is passed over.
        """
        for pfn, desc in self.worth_a_look(stored, progress):
            head = self.head(desc, size)
            if head and holds(head):
                yield pfn

    def worth_a_look(
        self, stored: range | None, progress: Callable[[float], None] | None
    ) -> Iterator[tuple[int, Desc]]:
        """Frames and descriptors of the pages that may hold text, ascending."""
        work = self._source.work("searching its pages")
        for pfns, table in self._tables(_TABLE, work):
            if progress is not None:
                progress(pfns[0] / self.pfns.stop)
            for index in self._places(table, stored):
                desc = Desc._make(self._desc.unpack_from(table, index * self._desc.size))
                if desc.offset > 0:
                    work.spend(self._effort)
                    yield pfns[index], desc

    def head(self, desc: Desc, size: int) -> bytes | None:
        """The first bytes of a page, or None if it can't be decoded."""
        return self._head(desc, self._source.pread(desc.offset, desc.size), size)

    def _places(self, table: bytes, stored: range | None) -> Iterator[int]:
        """Indexes of the descriptors in ``table`` whose pages may hold text.

        Stretches of memory that the guest never touched are passed over as a whole.
        """
        size = self._desc.size
        zeros = self._zero_desc * _STRETCH
        for at in range(0, len(table), len(zeros)):
            part = table[at : at + len(zeros)]
            if not zeros.startswith(part):
                yield from (at // size + index for index in self._not_zero(part, stored))

    def _not_zero(self, table: bytes, stored: range | None) -> list[int]:
        """Indexes of the descriptors of a fitting size, that of the zero page left out.

        Uncompressed pages are looked at, but for the zero page that others share.
        Passing over a page here costs 0.2 us, looking at it 8 us.
        """
        words, sizes = self._columns(table)
        low, high = (stored.start, stored.stop) if stored else (1, self._page_size)
        zero, whole = self._zero_page, self._page_size
        return [
            index
            for index, size in enumerate(sizes)
            if low <= size < high or (size == whole and words[index * 3] != zero)
        ]

    def _columns(self, table: bytes) -> tuple[array[int], array[int]]:
        """Of descriptors: all as words, of which each has three, and their sizes."""
        words = array("Q", table)
        native = self._header.byte_order == sys.byteorder
        if not native:
            words.byteswap()
        return words, array("I", words[1::3].tobytes())[0 if native else 1 :: 2]

    def _head(self, desc: Desc, data: bytes, size: int) -> bytes | None:
        """The first bytes of a page, or None if it can't be decoded."""
        codec = codec_of(desc.flags)
        if codec is None:
            return None
        try:
            head = codec.head(data, size) if codec.head else codec.decode(data, self._page_size)
        except DecodeError:
            return None
        except CodecMissing as error:
            raise UnsupportedDump(str(error), path=self.path) from None
        return head[:size] if len(head) >= size else None

    @cached_property
    def _zero_page(self) -> int:
        """Where page data begin if a whole page of zeros is stored there, else 0.

        QEMU dump.c write_dump_pages and makedumpfile.c write_kdump_pages.
        """
        place = self._header.descriptors_offset + self._count * self._desc.size
        zeros = self._source.pread(place, self._page_size) == self._zeros
        return place if zeros and self._source.holds(place, self._page_size) else 0

    @property
    def _zero_desc(self) -> bytes:
        """The descriptor of each page that is the shared page of zeros."""
        return self._desc.pack(self._zero_page, self._page_size, 0, 0)

    def _descs(self, index: int, count: int) -> bytes:
        """Up to ``count`` whole descriptors from the ``index``-th on; fewer if the file ends."""
        size = self._desc.size
        raw = self._source.pread(self._header.descriptors_offset + index * size, count * size)
        return raw[: len(raw) // size * size]

    def _tables(self, most: int, work: Work) -> Iterator[tuple[range, bytes]]:
        """All pages of this file in order: frame numbers, and their descriptors as stored.

        Descriptors in holes of the file are zeros, which name no data: they are passed over.
        """
        index, size = 0, self._desc.size
        base = self._header.descriptors_offset
        parts = self._source.data(base, base + self._count * size)
        there = next(parts, None)
        for first, last in self._dumped.runs():
            start, end = max(first, self.pfns.start), min(last, self.pfns.stop)
            work.spend(_RUN)
            for pfn in range(start, end, most):
                pfns = range(pfn, min(pfn + most, end))
                at, index = base + index * size, index + len(pfns)
                while there and there[1] <= at:
                    there = next(parts, None)
                if there is None:
                    return
                if there[0] < at + len(pfns) * size:
                    work.spend(len(pfns) >> 2)
                    yield pfns, self._descs((at - base) // size, len(pfns))

    def runs(self) -> Iterator[tuple[int, int, bool]]:
        """Runs of dumped frames, and whether all of a run are the shared page of zeros.

        Long runs only: what lies between pages of other contents isn't told from them.
        """
        first, last, zero = 0, 0, False
        for pfns, table in self._tables(_TABLE, self._source.work("listing its pages")):
            for at, stop, zeros in self._stretches(pfns, table):
                if at == last and zeros == zero:
                    last = stop
                    continue
                if first < last:
                    yield first, last, zero
                first, last, zero = at, stop, zeros
        if first < last:
            yield first, last, zero

    def _stretches(self, pfns: range, table: bytes) -> Iterator[tuple[int, int, bool]]:
        zeros = self._zero_desc * _STRETCH
        size = self._desc.size
        for at in range(0, len(pfns), _STRETCH):
            part = table[at * size : (at + _STRETCH) * size]
            stop = min(at + _STRETCH, len(pfns))
            zero = len(part) == (stop - at) * size and zeros.startswith(part)
            yield pfns[at], pfns[0] + stop, zero and self._zero_page > 0

    def stored(self, pfns: range) -> Iterator[tuple[int, Desc, bytes]]:
        """See :meth:`crashext.dumps.kdump.KdumpDump.stored_pages`."""
        wanted = []
        table = self._descs(self._dumped.rank(pfns.start) - self._before, len(pfns))
        for pfn, desc in zip(pfns, map(Desc._make, self._desc.iter_unpack(table)), strict=False):
            if desc.offset == self._zero_page > 0 and not desc.flags & COMPRESSION_FLAGS:
                yield pfn, desc, b""
            elif codec_of(desc.flags) is not None:
                wanted.append((pfn, desc))
        yield from self._stored(wanted)

    def _stored(self, pages: list[tuple[int, Desc]]) -> Iterator[tuple[int, Desc, bytes]]:
        """The stored bytes of pages; what lies side by side is read at once."""
        sane = [p for p in pages if p[1].offset > 0 and 0 < p[1].size <= self._page_size]
        for group in _adjacent(sane):
            first = group[0][1].offset
            last = group[-1][1]
            data = self._source.pread(first, last.offset + last.size - first)
            for pfn, desc in group:
                at = desc.offset - first
                lost = self._lossy and not self._source.holds(desc.offset, desc.size)
                if at + desc.size <= len(data) and not lost:
                    yield pfn, desc, data[at : at + desc.size]

    def tally(self, pfns: range, most: int) -> Tally:
        """Sizes of the pages of frames that exist, from ``most`` descriptors at most."""
        first, last = (self._dumped.rank(pfn) - self._before for pfn in (pfns.start, pfns.stop))
        blocks = spread(first, last - first, max(most // _STRETCH, 1))
        step = blocks.step if len(blocks) * _STRETCH < last - first else _STRETCH
        left_out = len(pfns) - (last - first)
        tally = Tally(len(pfns), left_out, left_out)
        for index in range(first, last, step):
            tally += self._tally_of(index, min(_STRETCH, last - index))
        return tally

    def _tally_of(self, index: int, count: int) -> Tally:
        table = self._descs(index, count)
        found = len(table) // self._desc.size
        if self._zero_page and table == self._zero_desc * count:
            return Tally(0, count, 0, count)
        words, sizes = self._columns(table)
        offsets = words[0::3]
        zero = offsets.count(self._zero_page) if self._zero_page else 0
        lost = count - found + offsets.count(0)
        packed = sum(sizes) - zero * self._page_size
        stored = count - zero - lost
        return Tally(0, count, lost, zero, max(min(packed, stored * self._page_size), 0))

    def lost_tail(self) -> str:
        """What is missing at the end of the file, judged by its last pages that have data.

        Data is written in page order, so only the tail of the descriptors is looked at, and
        little of it: nobody wants to wait for this.
        """
        count, end = self._count, self._source.size
        if self._header.descriptors_offset + count * self._desc.size > end:
            return f"cut off inside the table of its {count} page descriptors"
        for _ in range(16):
            step = min(count, _BATCH)
            count -= step
            descs = [Desc._make(d) for d in self._desc.iter_unpack(self._descs(count, step))]
            if not all(desc.offset for desc in descs):
                return "pages at the end were never written"
            last = max((desc.offset + desc.size for desc in descs), default=0)
            if last > end:
                return f"cut off: page data goes up to {last:#x}, the file to {end:#x}"
            if not count or descs[0].offset != descs[-1].offset:
                break
        return ""


def _own_pfns(header: KdumpHeader) -> range:
    """The page frames of this file: all, or [start_pfn, end_pfn) of a split dump."""
    if not header.split:
        return range(header.max_mapnr)
    start = min(header.start_pfn, header.max_mapnr)
    return range(start, max(start, min(header.end_pfn, header.max_mapnr)))


def _adjacent(pages: list[tuple[int, Desc]]) -> Iterator[list[tuple[int, Desc]]]:
    """Group pages whose data follow one another in the file, ``_SPAN`` bytes at most."""
    group: list[tuple[int, Desc]] = []
    total = 0
    for page in pages:
        last = group[-1][1] if group else None
        if last and (last.offset + last.size != page[1].offset or total > _SPAN):
            yield group
            group, total = [], 0
        group.append(page)
        total += page[1].size
    if group:
        yield group
