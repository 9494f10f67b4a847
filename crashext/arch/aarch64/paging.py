# SPDX-License-Identifier: GPL-3.0-or-later
"""arm64 page tables: translating one address, and listing what is mapped around the image.

Formats are those of the Arm Architecture Reference Manual, D8.3. Tables come from a
hostile guest: every walk has a fixed number of steps, and an entry that leaves the dump
just ends it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..base import MASK64, Memory, Paging, Run
from ..runs import joined

_VALID, _TABLE = 1 << 0, 1 << 1
_READ_ONLY, _DIRTY_TRACKED, _PXN = 1 << 7, 1 << 51, 1 << 53
#: Large entries: 2 MiB and 1 GiB of 4 KiB pages, 32 MiB of 16, 512 MiB of 64 KiB.
_BLOCK_LEVELS = {4 << 10: (2, 3), 16 << 10: (2,), 64 << 10: (2,)}
#: What is listed around an address of the image: images have up to some 60 MiB, of which
#: the freed part before .data is not mapped.
_BEFORE, _BEHIND, _HOLE = 2 << 20, 256 << 20, 24 << 20
_MAX_TABLES = 160


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One last-level entry, a page or a block."""

    vaddr: int
    size: int
    entry: int


class PageTables:
    """The address space of TTBR1 whose top-level table is at ``root``."""

    def __init__(self, memory: Memory, root: int, paging: Paging) -> None:
        self._memory = memory
        self._root = root
        self._paging = paging
        self._shift = paging.page_size.bit_length() - 1

    def translate(self, vaddr: int) -> int | None:
        """The physical address that ``vaddr`` is mapped to, or None."""
        return self._walk(vaddr)[0]

    def lost(self, vaddr: int) -> bool:
        """True when the walk to ``vaddr`` meets a table that is not in the dump."""
        return self._walk(vaddr)[1]

    def _walk(self, vaddr: int) -> tuple[int | None, bool]:
        """(physical address, whether a table is missing from the dump)."""
        table = self._root
        if not self._covers(vaddr):
            return None, False
        for level in range(self._paging.levels, 0, -1):
            entry = self._memory.u64(table + self._index(vaddr, level) * 8)
            if entry is None or not entry & _VALID:
                return None, entry is None
            if self._is_leaf(entry, level):
                inside = self._size(level) - 1
                return self._frame(entry) & ~inside | vaddr & inside, False
            if level == 1 or not entry & _TABLE:
                return None, False
            table = self._frame(entry)
        return None, False

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """The runs mapped around ``near``, ascending; none where no address is known."""
        if near is None or not self._covers(near):
            return ()
        first = max(near - _BEFORE, MASK64 + 1 - (1 << self._paging.va_bits))
        leaves = self._leaves(self._root, self._paging.levels, first, near + _BEHIND, [0])
        return tuple(joined(self._run(leaf) for leaf in _connected(leaves, near)))

    def _covers(self, vaddr: int) -> bool:
        return vaddr >> self._paging.va_bits == MASK64 >> self._paging.va_bits

    def _size(self, level: int) -> int:
        """Bytes that an entry of ``level`` maps, 1 being the last."""
        return 1 << (self._shift + (level - 1) * (self._shift - 3))

    def _index(self, vaddr: int, level: int) -> int:
        width = self._shift - 3
        if level == self._paging.levels:
            width = self._paging.va_bits - (self._shift + (level - 1) * width)
        return vaddr // self._size(level) & ((1 << width) - 1)

    def _is_leaf(self, entry: int, level: int) -> bool:
        if level == 1:
            return bool(entry & _TABLE)
        return not entry & _TABLE and level in _BLOCK_LEVELS[self._paging.page_size]

    def _frame(self, entry: int) -> int:
        """The address in an entry; its high bits with 52 of them are elsewhere (D8.3.1)."""
        if self._paging.page_size == 64 << 10:
            return entry & ((1 << 48) - (64 << 10)) | (entry >> 12 & 0xF) << 48
        if self._paging.va_bits == 52:
            return entry & ((1 << 50) - self._paging.page_size) | (entry >> 8 & 3) << 50
        return entry & ((1 << 48) - self._paging.page_size)

    def _leaves(
        self, table: int, level: int, first: int, end: int, read: list[int]
    ) -> Iterator[_Leaf]:
        """The last-level entries for addresses from ``first`` to ``end``, ascending.

        ``read`` counts tables: there is an end to it.
        """
        size = self._size(level)
        start, last = first & -size, min(end - 1, MASK64)
        count = (last - start) // size + 1
        read[0] += 1
        data = self._memory.get(table + self._index(first, level) * 8, count * 8)
        if data is None or read[0] > _MAX_TABLES:
            return
        for number, (entry,) in enumerate(struct.iter_unpack("<Q", data)):
            vaddr = start + number * size
            if not entry & _VALID:
                continue
            if self._is_leaf(entry, level):
                yield _Leaf(vaddr, size, entry)
            elif level > 1 and entry & _TABLE:
                inside = max(first, vaddr), min(end, vaddr + size)
                yield from self._leaves(self._frame(entry), level - 1, *inside, read)

    def _run(self, leaf: _Leaf) -> Run:
        writable = not leaf.entry & _READ_ONLY or bool(leaf.entry & _DIRTY_TRACKED)
        paddr = self._frame(leaf.entry) & -leaf.size
        return Run(leaf.vaddr, paddr, leaf.size, writable, not leaf.entry & _PXN)


def _connected(leaves: Iterator[_Leaf], near: int) -> Iterator[_Leaf]:
    """The leaves up to a hole that is larger than any in an image."""
    end = near
    for leaf in leaves:
        if leaf.vaddr > end + _HOLE:
            return
        end = max(end, leaf.vaddr + leaf.size)
        yield leaf
