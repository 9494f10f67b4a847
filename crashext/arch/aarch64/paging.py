# SPDX-License-Identifier: GPL-3.0-or-later
"""arm64 page tables: what an entry means, and what is listed around the image.

Formats are those of the Arm Architecture Reference Manual, D8.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from ..base import MASK64, Memory, Paging, Run
from ..radix import Leaf, RadixTables, Shape

_VALID, _TABLE = 1 << 0, 1 << 1
_READ_ONLY, _DIRTY_TRACKED, _PXN = 1 << 7, 1 << 51, 1 << 53
#: Address bits below the entries that may map a block: 2 MiB and 1 GiB of 4 KiB pages, 32 MiB
#: of 16 KiB pages, 512 MiB of 64 KiB pages.
_BLOCKS = {4 << 10: (21, 30), 16 << 10: (25,), 64 << 10: (29,)}
#: What is listed around an address of the image: images have up to some 60 MiB, of which
#: the freed part before .data is not mapped.
_BEFORE, _BEHIND, _HOLE = 2 << 20, 256 << 20, 24 << 20


class _Upper(Shape):
    """The half of the addresses that TTBR1 translates."""

    __slots__ = ()

    def covers(self, vaddr: int) -> bool:
        """True for addresses whose upper bits are all set."""
        return vaddr >> self.va_bits == MASK64 >> self.va_bits


class PageTables(RadixTables):
    """The address space of TTBR1 whose top-level table is at ``root``."""

    def __init__(self, memory: Memory, root: int, paging: Paging) -> None:
        self._paging = paging
        page, width = paging.page_size.bit_length() - 1, paging.page_size.bit_length() - 4
        shifts = tuple(page + width * level for level in reversed(range(paging.levels)))
        self._upper = _Upper(shifts, paging.va_bits)
        self._skipped = root, paging.skipped * self._upper.entry_size
        super().__init__(memory, root + self._skipped[1], self._upper, self._meaning)

    @cached_property
    def _fits(self) -> bool:
        """Whether the part of the table that is left out is empty: so it is where it is unused."""
        start, size = self._skipped
        return not size or not any(self._memory.get(start, size) or b"\1")

    def translate(self, vaddr: int) -> int | None:
        """See :meth:`RadixTables.translate`."""
        return super().translate(vaddr) if self._fits else None

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """The runs mapped around ``near``, ascending; none where no address is known."""
        if near is None or not self._upper.covers(near) or not self._fits:
            return ()
        first = max(near - _BEFORE, MASK64 + 1 - (1 << self._paging.va_bits))
        return tuple(_connected(self.runs(first, min(near + _BEHIND, MASK64)), near))

    def _meaning(self, entry: int, shift: int, _: int) -> Leaf | int | None:
        if not entry & _VALID:
            return None
        last = shift == self._upper.shifts[-1]
        if not last and entry & _TABLE:
            return self._frame(entry)
        if last != bool(entry & _TABLE) or not (last or shift in _BLOCKS[self._paging.page_size]):
            return None
        writable = not entry & _READ_ONLY or bool(entry & _DIRTY_TRACKED)
        return Leaf(self._frame(entry) & -(1 << shift), writable, not entry & _PXN)

    def _frame(self, entry: int) -> int:
        """The address in an entry; its high bits with 52 of them are elsewhere (D8.3.1)."""
        if self._paging.page_size == 64 << 10:
            return entry & ((1 << 48) - (64 << 10)) | (entry >> 12 & 0xF) << 48
        if self._paging.va_bits == 52:
            return entry & ((1 << 50) - self._paging.page_size) | (entry >> 8 & 3) << 50
        return entry & ((1 << 48) - self._paging.page_size)


def _connected(runs: Iterable[Run], near: int) -> Iterator[Run]:
    """The runs up to a hole that is larger than any in an image."""
    end = near
    for run in runs:
        if run.vaddr > end + _HOLE:
            return
        end = max(end, run.end)
        yield run
