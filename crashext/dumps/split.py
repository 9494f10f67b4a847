# SPDX-License-Identifier: GPL-3.0-or-later
"""A kdump written split over several files (``makedumpfile --split``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from ..errors import CorruptDump
from .base import Dump, Range, Stretch
from .kdump import KdumpDump
from .kdump_types import KdumpHeader
from .tally import Tally


class SplitDump(Dump):
    """The parts of one dump, read as one; facts that all share are the first part's.

    ``gaps`` are the physical address ranges that no part is about.
    """

    format = "kdump"

    def __init__(self, parts: Sequence[KdumpDump]) -> None:
        """Take the parts in any order.

        Raises:
            CorruptDump: they are not parts of one dump, or two hold the same pages. Parts
                that were written one after the other may differ in their timestamps.
        """
        self._parts = sorted(parts, key=lambda part: part.pfns.start)
        first = self._parts[0]
        for part in self._parts:
            _check_belongs(part, first)
        self.path = parts[0].path
        self.flattened = first.flattened
        self.compression = first.compression
        self.arch, self.byte_order = first.arch, first.byte_order
        self.page_size = first.page_size
        self.header: KdumpHeader = first.header
        self.ram = first.ram
        self.notes = first.notes  # makedumpfile gives them to each part
        self.vmcoreinfo = first.vmcoreinfo
        self.gaps = self._find_gaps()
        self.complete = not self.gaps and all(part.complete for part in parts)
        self.warnings = (
            *chain.from_iterable(part.warnings for part in parts),
            *(
                f"{part.path}: its timestamp is another than that of {first.path}"
                for part in self._parts
                if part.header.timestamp != first.header.timestamp
            ),
            *(
                f"{self.path}: the dump is split and no file was given for "
                f"{gap.start:#x} to {gap.stop:#x}"
                for gap in self.gaps
            ),
        )

    def identity(self) -> tuple[object, ...]:
        """That of all parts, see :meth:`Dump.identity`."""
        return tuple(fact for part in self._parts for fact in part.identity())

    @property
    def same_bitmaps(self) -> bool:
        """Whether no part says that pages were left out."""
        return all(part.same_bitmaps for part in self._parts)

    def _find_gaps(self) -> tuple[range, ...]:
        gaps = []
        end = 0
        for part in self._parts:
            if part.pfns.start < end:
                raise CorruptDump("its pages overlap those of another part", path=part.path)
            gaps.append(range(end, part.pfns.start))
            end = part.pfns.stop
        gaps.append(range(end, self.header.max_mapnr))
        size = self.page_size
        return tuple(range(gap.start * size, gap.stop * size) for gap in gaps if gap)

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory, from whichever parts have it."""
        pieces = []
        end = paddr + size
        while paddr < end:
            part = self._part(paddr // self.page_size)
            stop = part.pfns.stop * self.page_size
            pieces.append(part.read(paddr, min(end, stop if stop > paddr else end) - paddr))
            paddr += len(pieces[-1])
        return b"".join(pieces)

    def _part(self, pfn: int) -> KdumpDump:
        """The part that is about the frame, or any one, which then says what is missing."""
        return next((part for part in self._parts if pfn in part.pfns), self._parts[0])

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every stored page of all parts, see :meth:`Dump.page_heads`."""
        return chain.from_iterable(part.page_heads(size) for part in self._parts)

    def _held(self) -> Iterator[Stretch]:
        """The pages of all parts, see :meth:`Dump.stretches`; those of a lost part may be any."""
        if self.gaps:
            return super()._held()
        return chain.from_iterable(part._held() for part in self._parts)

    def tally(self, start: int, end: int, most: int) -> Tally:
        """What all parts say, see :meth:`Dump.tally`; what no part is about is missing."""
        pages = max((end - start) // self.page_size, 0)
        told = sum((part.tally(start, end, most) for part in self._parts), Tally())
        lost = max(pages - told.pages, 0)
        return told + Tally(lost, lost, lost)

    @property
    def stored(self) -> tuple[Range, ...]:
        """The pages that were dumped, whether or not their part is here."""
        return self._parts[0].stored

    def pages_with(
        self,
        marks: Sequence[tuple[int, bytes]],
        *,
        stored: range | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Addresses of the pages that hold a mark, see :meth:`Dump.pages_with`."""
        return chain.from_iterable(
            part.pages_with(marks, stored=stored, progress=progress) for part in self._parts
        )

    def close(self) -> None:
        """Close all files."""
        for part in self._parts:
            part.close()


def _check_belongs(part: KdumpDump, first: KdumpDump) -> None:
    def identity(header: KdumpHeader) -> tuple[object, ...]:
        return header.utsname, header.max_mapnr, header.block_size, header.bits

    if not part.header.split:
        raise CorruptDump("this is not a part of a split dump", path=part.path)
    if identity(part.header) != identity(first.header) or part.ram != first.ram:
        raise CorruptDump(f"not a part of the same dump as {first.path}", path=part.path)
