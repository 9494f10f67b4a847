# SPDX-License-Identifier: GPL-3.0-or-later
"""Page tables that are a radix tree: each level's bits of an address pick an entry.

What an entry means is the architecture's to say. Tables come from a hostile guest: a walk
takes one step a level, a listing reads so many tables and no more, and an entry that
leaves the dump just ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .base import Memory, Run
from .runs import joined

#: Tables read by one listing: an image has a handful of last-level ones, where rights change.
_MAX_TABLES = 64


class Leaf(NamedTuple):
    """What an entry maps: the physical address of all its bytes' first, and their rights."""

    paddr: int
    writable: bool
    executable: bool


#: From an entry, the number of address bits below it and the first address it stands for:
#: what it maps, or the physical address of the next table, or None where it is empty or wrong.
Decode = Callable[[int, int, int], Leaf | int | None]


class Shape(NamedTuple):
    """The shape of a tree.

    ``shifts`` are the numbers of address bits below an entry, from the top-level table's on;
    ``va_bits`` of a virtual address of ``width`` bits are translated, the rest repeats the
    top one; an entry has ``entry_size`` bytes.
    """

    shifts: tuple[int, ...]
    va_bits: int
    width: int = 64
    entry_size: int = 8

    def covers(self, vaddr: int) -> bool:
        """True when there is such an address."""
        return vaddr >> (self.va_bits - 1) in (0, (1 << (self.width - self.va_bits + 1)) - 1)

    def entry_of(self, vaddr: int, level: int) -> int:
        """Which entry of a table is ``vaddr``'s; level 0 is the top."""
        above = self.shifts[level - 1] if level else self.va_bits
        return vaddr >> self.shifts[level] & ((1 << (above - self.shifts[level])) - 1)


class RadixTables:
    """One address space: the tree below the table at physical ``root``."""

    def __init__(self, memory: Memory, root: int, shape: Shape, decode: Decode) -> None:
        self._memory = memory
        self._root = root
        self._shape = shape
        self._decode = decode

    def translate(self, vaddr: int) -> int | None:
        """The physical address that ``vaddr`` is mapped to, or None."""
        return self._walk(vaddr)[0]

    def lost(self, vaddr: int) -> bool:
        """True when the walk to ``vaddr`` meets a table that is not in the dump."""
        return self._walk(vaddr)[1]

    def _walk(self, vaddr: int) -> tuple[int | None, bool]:
        """(physical address, whether a table is missing from the dump)."""
        shape, table = self._shape, self._root
        if not shape.covers(vaddr):
            return None, False
        for level, shift in enumerate(shape.shifts):
            entry = self._entry(table + shape.entry_of(vaddr, level) * shape.entry_size)
            if entry is None:
                return None, True
            found = self._decode(entry, shift, vaddr & -(1 << shift))
            if isinstance(found, Leaf):
                return found.paddr + (vaddr & ((1 << shift) - 1)), False
            if found is None:
                return None, False
            table = found
        return None, False

    def _entry(self, paddr: int) -> int | None:
        return self._memory.u64(paddr) if self._shape.entry_size == 8 else self._memory.u32(paddr)

    def runs(self, first: int, last: int) -> Iterator[Run]:
        """What is mapped from ``first`` to ``last``, ascending; neighbours alike are joined."""
        return joined(self._runs(self._root, 0, first, last, [0]))

    def _runs(
        self, table: int, level: int, first: int, last: int, read: list[int]
    ) -> Iterator[Run]:
        """The runs below one table; ``read`` counts tables."""
        shape, shift = self._shape, self._shape.shifts[level]
        start = first & -(1 << shift)
        count = ((last - start) >> shift) + 1
        read[0] += 1
        if read[0] > _MAX_TABLES:
            return
        at = table + shape.entry_of(first, level) * shape.entry_size
        for number in range(count):
            entry = self._entry(at + number * shape.entry_size)
            vaddr = start + (number << shift)
            found = None if not entry else self._decode(entry, shift, vaddr)
            if isinstance(found, Leaf):
                yield Run(vaddr, found.paddr, 1 << shift, found.writable, found.executable)
            elif found is not None and level + 1 < len(shape.shifts):
                inside = max(first, vaddr), min(last, vaddr + (1 << shift) - 1)
                yield from self._runs(found, level + 1, *inside, read)
