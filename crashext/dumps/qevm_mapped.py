# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's mapped-ram: each page of a RAM block at its own place of the file, behind a bitmap.

Source: QEMU 9.0 and later, docs/devel/migration/mapped-ram.rst, ``MappedRamHeader`` and
``mapped_ram_setup_ramblock`` of migration/ram.c. The stream goes on behind the pages. The
offsets are those of the file, wherever in it the stream begins (``migrate file:NAME,offset=N``).
Whether one thread wrote the pages or several (multifd) makes no difference.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import CorruptDump, UnsupportedDump
from .bitmap import Bitmap
from .qevm_pages import ABSENT, FILLED
from .source import Source

HEADER = struct.Struct(">I3Q")
"""Version, page size, and where bitmap and pages begin."""

_VERSION = 1
_FARTHEST = 1 << 60  # no file is as long, and offsets are told from what else an entry can be
_LONG = 8  # the bitmap is an array of these


class Mapping(NamedTuple):
    """What the header of a block says, its offsets counted from where the stream begins."""

    bitmap: int
    bitmap_size: int
    pages: int


class MappedPages:
    """An entry for each page of a block, as :class:`crashext.dumps.qevm_pages.PageIndex` has.

    ``unset`` is the entry of the pages that the bitmap lacks: zeros, unless the bitmap
    itself has not been written.
    """

    def __init__(self, bitmap: Bitmap, count: int, place: int, page_size: int) -> None:
        self._bitmap = bitmap
        self._count = count
        self._place = place
        self._page_size = page_size
        self.unset = FILLED if len(bitmap) else ABSENT

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:
        return self._place + index * self._page_size if index in self._bitmap else self.unset

    def items(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Index and entry of the pages of ``[first, last)`` that were written, ascending."""
        for start, end in self.runs(first, last):
            for index in range(start, end):
                yield index, self._place + index * self._page_size

    def runs(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The same as half-open runs of indexes."""
        for start, end in self._bitmap.runs():
            if start < last and end > first:
                yield max(start, first), min(end, last)


def read_header(raw: bytes, start: int, length: int, source: Source, page_size: int) -> Mapping:
    """What the header ``raw`` says that ends at ``start``, of a block of ``length`` bytes.

    Raises:
        CorruptDump: it can't be true.
        UnsupportedDump: it is of a version that is not known.
    """
    version, said_size, bitmap, pages = HEADER.unpack(raw)

    def refuse(problem: str) -> CorruptDump:
        return CorruptDump(f"mapped-ram header: {problem}", path=source.path, offset=start)

    if version != _VERSION:
        raise UnsupportedDump(
            f"a mapped-ram header of version {version}; known is {_VERSION}", path=source.path
        )
    if said_size != page_size:
        raise refuse(f"pages of {said_size} bytes where the guest has {page_size}")
    size = -(-(length // page_size) // (8 * _LONG)) * _LONG
    found = Mapping(bitmap - source.start, size, pages - source.start)
    if not start <= found.bitmap <= source.size - size:
        raise refuse(f"a bitmap of {size} bytes at {bitmap:#x}")
    if not found.bitmap + size <= found.pages < _FARTHEST or pages % page_size:
        raise refuse(f"pages at {pages:#x} behind a bitmap at {bitmap:#x}")
    return found


def read_pages(where: Mapping, length: int, source: Source, page_size: int) -> MappedPages:
    """The pages of a block of ``length`` bytes.

    Raises:
        OverBudget: its bitmap does not fit.
    """
    # The set, and what finds its way in it.
    source.budget.hold(2 * where.bitmap_size, "the bitmap of a RAM block", source.path)
    count = length // page_size
    # QEMU writes its longs in the host's byte order; hosts of big-endian ones are left out.
    bitmap = Bitmap(source.pread(where.bitmap, where.bitmap_size), count)
    return MappedPages(bitmap, count, where.pages, page_size)
