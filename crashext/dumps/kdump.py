# SPDX-License-Identifier: GPL-3.0-or-later
"""kdump-compressed dumps: makedumpfile's own format, which QEMU writes as well."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from ..errors import (
    CorruptDump,
    DumpError,
    ExcludedPage,
    MissingMemory,
    OtherPart,
    TruncatedPage,
    UnsupportedDump,
)
from ..notes import arch_of_notes, note_named, walk_notes
from .base import Dump, Range
from .bitmap import Bitmap
from .cache import PageCache
from .codecs import COMPRESSION_FLAGS, CodecMissing, DecodeError, codec_of
from .intervals import union
from .kdump_types import (
    NEWEST_VERSION,
    PAGE_DESC,
    SIGNATURE,
    STATUS_INCOMPLETE,
    KdumpHeader,
    read_header,
)
from .source import Source

_MAX_BITMAP = 1 << 29  # bytes: 16 TiB of guest memory in pages of 4 KiB
_BELIEVED_BITMAP = 1 << 22  # bytes: may be larger than a flattened file, whose holes are zeros
_MAX_RANGES = 1 << 20
_MAX_NOTES = 1 << 26
_MAX_VMCOREINFO = 1 << 20
_MACHINES = {"i686": "i386", "i586": "i386", "S390X": "s390x"}
_TABLE = 1 << 14  # page descriptors scanned at a time
_BATCH = 1024  # page descriptors read at a time
_SPAN = 1 << 18  # bytes of adjacent pages read at a time


class _Desc(NamedTuple):
    """``page_desc_t``."""

    offset: int
    size: int
    flags: int
    page_flags: int


class KdumpDump(Dump):
    """One guest's memory in a kdump file, or one part of it if the dump is split.

    ``pfns`` are the page frames whose pages this file is about: in a split dump
    a part of them all, although every part has the whole bitmaps. ``eraseinfo`` is
    the text in which ``makedumpfile --config`` tells what it erased.
    """

    format = "kdump"
    header: KdumpHeader

    def __init__(self, source: Source) -> None:
        """Read headers, bitmaps and notes.

        Raises:
            CorruptDump: they contradict themselves or the file.
        """
        self._source = source
        self.path = source.path
        self.flattened = source.flattened
        self.header = read_header(source)
        self.page_size = self.header.block_size
        self.byte_order = self.header.byte_order
        codec = codec_of(self.header.status)
        self.compression = codec.name if codec else "none"
        self._desc = PAGE_DESC[self.byte_order]
        self._cache = PageCache(self.page_size)
        self._warnings = list(source.warnings)
        self._exists, self._dumped = self._read_bitmaps()
        self.pfns = _own_pfns(self.header)
        self._rank = self._dumped.rank(self.pfns.start)
        self.ram = self._read_ram()
        self._read_notes()
        self.arch = arch_of_notes(self.notes, self.byte_order) or self._machine()
        self.complete = self._check_complete()
        self.warnings = tuple(self._warnings)

    @property
    def same_bitmaps(self) -> bool:
        """Whether every page that exists was dumped, as QEMU always says."""
        return self._exists is self._dumped

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory, page by page through the cache."""
        start = paddr % self.page_size
        if 0 <= size <= self.page_size - start:
            return self._page(paddr // self.page_size)[start : start + size]
        parts = []
        end = paddr + size
        while paddr < end:
            start = paddr % self.page_size
            parts.append(self._page(paddr // self.page_size)[start : start + end - paddr])
            paddr += len(parts[-1])
        return b"".join(parts)

    @cached_property
    def stored(self) -> tuple[Range, ...]:
        """The pages that were dumped, see :attr:`Dump.stored`."""
        if self.same_bitmaps:
            return self.ram
        runs = self._dumped.runs()
        return union(Range(a * self.page_size, b * self.page_size) for a, b in runs)

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every stored page but the shared zero page, see :meth:`Dump.page_heads`."""
        zero_pages: set[int] = set()
        for pfns, descs in self._batches():
            wanted = [
                (pfn, desc)
                for pfn, desc in zip(pfns, descs, strict=False)
                if desc.offset not in zero_pages or desc.flags
            ]
            for pfn, desc, data in self._stored(wanted):
                head = self._head(desc, data, min(size, self.page_size))
                if head is None:
                    continue
                if not desc.flags & COMPRESSION_FLAGS and not data.strip(b"\0"):
                    zero_pages.add(desc.offset)
                    continue
                yield pfn * self.page_size, head

    def pages_with(
        self,
        marks: Sequence[tuple[int, bytes]],
        *,
        stored: range | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Addresses of the pages that hold a mark, see :meth:`Dump.pages_with`."""
        from .marks import pattern

        size = max(offset + len(wanted) for offset, wanted in marks)
        holds = pattern(marks).match
        for pfns, table in self._tables():
            if progress is not None:
                progress(pfns[0] / max(self.header.max_mapnr, 1))
            for index in self._worth_a_look(table, stored):
                desc = self._desc_in(table, index)
                head = self._head(desc, self._source.pread(desc.offset, desc.size), size)
                if head and holds(head):
                    yield pfns[index] * self.page_size

    def _worth_a_look(self, table: bytes, stored: range | None) -> list[int]:
        """Indexes of the descriptors in ``table`` whose pages may hold text.

        Uncompressed pages are looked at, but for the zero page that others share.
        Passing over a page here costs 0.2 us, looking at it 8 us.
        """
        words = array("Q", table)
        if self.byte_order != sys.byteorder:
            words.byteswap()
        sizes = array("I", words[1::3].tobytes())[0 if self.byte_order == sys.byteorder else 1 :: 2]
        low, high = (stored.start, stored.stop) if stored else (1, self.page_size)
        zero, whole = self._zero_page, self.page_size
        return [
            index
            for index, size in enumerate(sizes)
            if low <= size < high or (size == whole and words[index * 3] != zero)
        ]

    def _desc_in(self, table: bytes, index: int) -> _Desc:
        return _Desc._make(self._desc.unpack_from(table, index * self._desc.size))

    def _tables(self) -> Iterator[tuple[Sequence[int], bytes]]:
        """All dumped pages in order: frame numbers, and their descriptors as stored."""
        index = 0
        for start, end in self._dumped.runs():
            for pfn in range(start, end, _TABLE):
                pfns = range(pfn, min(pfn + _TABLE, end))
                offset = self.header.descriptors_offset + index * self._desc.size
                table = self._source.pread(offset, len(pfns) * self._desc.size)
                index += len(pfns)
                yield pfns, table[: len(table) // self._desc.size * self._desc.size]

    @cached_property
    def _zero_page(self) -> int:
        """Where page data begin if a page of zeros is stored there, else 0.

        QEMU dump.c write_dump_pages and makedumpfile.c write_kdump_pages.
        """
        place = self.header.descriptors_offset + len(self._dumped) * self._desc.size
        return 0 if self._source.pread(place, self.page_size).strip(b"\0") else place

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    # -- opening

    def _read_bitmaps(self) -> tuple[Bitmap, Bitmap]:
        header, source = self.header, self._source
        size = header.bitmap_bytes
        if size > min(max(source.stored, _BELIEVED_BITMAP), _MAX_BITMAP):
            raise CorruptDump(
                f"a bitmap of {size} bytes (max_mapnr {header.max_mapnr:#x}) in a dump of "
                f"{source.stored} bytes",
                path=self.path,
                offset=header.bitmap_offset,
            )
        first = source.exactly(header.bitmap_offset, size, "the page bitmap")
        exists = Bitmap(first, header.max_mapnr)
        if not header.two_bitmaps:
            return exists, exists
        offset = header.bitmap_offset + header.bitmap_blocks * header.block_size // 2
        second = source.exactly(offset, size, "the bitmap of dumped pages")
        return exists, exists if first == second else Bitmap(second, header.max_mapnr)

    def _read_ram(self) -> tuple[Range, ...]:
        ranges = []
        for start, end in self._exists.runs():
            ranges.append(Range(start * self.page_size, end * self.page_size))
            if len(ranges) > _MAX_RANGES:
                raise CorruptDump(
                    f"the page bitmap describes more than {_MAX_RANGES} separate RAM ranges",
                    path=self.path,
                    offset=self.header.bitmap_offset,
                )
        return union(ranges)

    def _read_notes(self) -> None:
        header = self.header
        area = self._area("notes", header.offset_note, header.size_note, _MAX_NOTES)
        self.notes = walk_notes(area, self.byte_order, header.offset_note)
        note = note_named(self.notes, "VMCOREINFO")
        text = (
            note.desc
            if note
            else self._area(
                "VMCOREINFO", header.offset_vmcoreinfo, header.size_vmcoreinfo, _MAX_VMCOREINFO
            )
        )
        self.vmcoreinfo = text.strip(b"\0") or None
        self.eraseinfo = self._area(
            "eraseinfo", header.offset_eraseinfo, header.size_eraseinfo, _MAX_VMCOREINFO
        )

    def _area(self, what: str, offset: int, size: int, most: int) -> bytes:
        """A part of the file that the sub-header points at; what is wrong becomes a warning."""
        if not offset or not size:
            return b""
        if offset < 0 or size > most or offset + size > self._source.size:
            self._warnings.append(
                f"{self.path}: the sub-header puts {size} bytes of {what} at {offset:#x}, "
                "which is not in the file"
            )
            return b""
        return self._source.pread(offset, size)

    def _machine(self) -> str:
        machine = self.header.utsname.machine
        return "unknown" if machine in ("", "Unknown") else _MACHINES.get(machine, machine)

    def _check_complete(self) -> bool:
        header, source = self.header, self._source
        complete = source.complete
        if header.header_version > NEWEST_VERSION:
            self._warnings.append(
                f"{self.path}: header_version {header.header_version} is newer than "
                f"{NEWEST_VERSION}; read as that"
            )
        if header.status & STATUS_INCOMPLETE:
            complete = False
            self._warnings.append(f"{self.path}: flagged incomplete by the program that wrote it")
        lost = self._lost_tail()
        if lost:
            complete = False
            self._warnings.append(f"{self.path}: {lost}")
        return complete

    def _lost_tail(self) -> str:
        """What is missing at the end of the file, judged by its last pages that have data.

        Data is written in page order, so only the tail of the descriptors is looked at, and
        little of it: nobody wants to wait for this.
        """
        size, count = self._desc.size, self._dumped.rank(self.pfns.stop) - self._rank
        table = self.header.descriptors_offset
        if table + count * size > self._source.size:
            return f"cut off inside the table of its {count} page descriptors"
        for _ in range(16):
            if not count:
                break
            step = min(count, _BATCH)
            count -= step
            descs = self._read_descs(count, step)
            if not all(desc.offset for desc in descs):
                return "pages at the end were never written"
            end = max(desc.offset + desc.size for desc in descs)
            if end > self._source.size:
                return f"cut off: page data goes up to {end:#x}, the file to {self._source.size:#x}"
            if descs[0].offset != descs[-1].offset:
                break
        return ""

    # -- pages

    def _page(self, pfn: int) -> bytes:
        page = self._cache.get(pfn)
        if page is None:
            page = self._load(pfn)
            self._cache.put(pfn, page)
        return page

    def _load(self, pfn: int) -> bytes:
        if pfn in self._dumped and pfn not in self.pfns:
            raise OtherPart(paddr=pfn * self.page_size, path=self.path)
        if pfn not in self._dumped:
            error = ExcludedPage if pfn in self._exists else MissingMemory
            raise error(paddr=pfn * self.page_size, path=self.path)
        descs = self._read_descs(self._dumped.rank(pfn) - self._rank, 1)
        if not descs or not descs[0].offset:
            raise TruncatedPage(paddr=pfn * self.page_size, path=self.path)
        desc = descs[0]
        if desc.offset < 0 or not 0 < desc.size <= self.page_size:
            raise self._bad_page(pfn, desc, f"stored in {desc.size} bytes")
        data = self._source.pread(desc.offset, desc.size)
        if len(data) < desc.size:
            raise TruncatedPage(paddr=pfn * self.page_size, path=self.path)
        return self._decode(desc, data, pfn)

    def _decode(self, desc: _Desc, data: bytes, pfn: int) -> bytes:
        codec = codec_of(desc.flags)
        if codec is None:
            raise self._bad_page(pfn, desc, f"compression flags {desc.flags:#x}")
        try:
            page = codec.decode(data, self.page_size)
        except DecodeError as error:
            raise self._bad_page(pfn, desc, str(error)) from None
        except CodecMissing as error:
            raise UnsupportedDump(str(error), path=self.path) from None
        if len(page) != self.page_size:
            raise self._bad_page(pfn, desc, f"it decodes to {len(page)} bytes")
        return page

    def _bad_page(self, pfn: int, desc: _Desc, problem: str) -> DumpError:
        return CorruptDump(
            f"the page at {pfn * self.page_size:#x} can't be decoded: {problem}",
            path=self.path,
            offset=desc.offset,
        )

    def _head(self, desc: _Desc, data: bytes, size: int) -> bytes | None:
        """The first bytes of a page, or None if it can't be decoded."""
        codec = codec_of(desc.flags)
        if codec is None:
            return None
        try:
            head = codec.head(data, size) if codec.head else codec.decode(data, self.page_size)
        except DecodeError:
            return None
        except CodecMissing as error:
            raise UnsupportedDump(str(error), path=self.path) from None
        return head[:size] if len(head) >= size else None

    def _read_descs(self, index: int, count: int) -> list[_Desc]:
        """Up to ``count`` page descriptors from the ``index``-th on; fewer if the file ends."""
        size = self._desc.size
        raw = self._source.pread(self.header.descriptors_offset + index * size, count * size)
        return list(map(_Desc._make, self._desc.iter_unpack(raw[: len(raw) // size * size])))

    def _batches(self) -> Iterator[tuple[Sequence[int], list[_Desc]]]:
        """All dumped pages in order: frame numbers and their descriptors."""
        index = 0
        for first, last in self._dumped.runs():
            start, end = max(first, self.pfns.start), min(last, self.pfns.stop)
            for pfn in range(start, end, _BATCH):
                pfns = range(pfn, min(pfn + _BATCH, end))
                descs = self._read_descs(index, len(pfns))
                index += len(pfns)
                yield pfns, descs

    def _stored(self, pages: list[tuple[int, _Desc]]) -> Iterator[tuple[int, _Desc, bytes]]:
        """The stored bytes of pages; what lies side by side is read at once."""
        for group in _adjacent([p for p in pages if 0 < p[1].size <= self.page_size]):
            first = group[0][1].offset
            last = group[-1][1]
            if first <= 0:
                continue
            data = self._source.pread(first, last.offset + last.size - first)
            for pfn, desc in group:
                at = desc.offset - first
                if at + desc.size <= len(data):
                    yield pfn, desc, data[at : at + desc.size]


def _own_pfns(header: KdumpHeader) -> range:
    """The page frames of this file: all, or [start_pfn, end_pfn) of a split dump."""
    if not header.split:
        return range(header.max_mapnr)
    start = min(header.start_pfn, header.max_mapnr)
    return range(start, max(start, min(header.end_pfn, header.max_mapnr)))


def _adjacent(pages: list[tuple[int, _Desc]]) -> Iterator[list[tuple[int, _Desc]]]:
    """Group pages whose data follow one another in the file, ``_SPAN`` bytes at most."""
    group: list[tuple[int, _Desc]] = []
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


def probe(source: Source) -> Dump | None:
    """The kdump in ``source``, or None if that is something else."""
    return KdumpDump(source) if source.pread(0, 8) == SIGNATURE else None
