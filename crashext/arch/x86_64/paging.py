# SPDX-License-Identifier: GPL-3.0-or-later
"""x86_64 page tables: translating one address, and listing the kernel-image mapping.

Formats are those of Intel SDM vol. 3, 4.5. Tables come from a hostile guest: every
walk has a fixed number of steps, and an entry that leaves the dump just ends it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..base import Memory, Run
from ..runs import joined
from .layout import MAX_PADDR, PAGE_SIZE, PMD_SIZE, START_KERNEL_MAP

_PRESENT = 1 << 0
_WRITABLE = 1 << 1
_LARGE = 1 << 7
_NX = 1 << 63
_ENTRIES = 512
_TABLE = struct.Struct("<512Q")
_FRAME = (MAX_PADDR - 1) & ~(PAGE_SIZE - 1)
#: 4 KiB tables looked into by image_runs: an image has a handful where rights
#: change; modules share the window in kernels without RANDOMIZE_BASE.
_MAX_PTE_TABLES = 40


class PageTables:
    """One address space: a top-level table at ``root`` with 4 or 5 ``levels``.

    ``encryption_mask`` is the C-bit of SME/SEV in entries, 0 without memory encryption.
    """

    def __init__(self, memory: Memory, root: int, levels: int, encryption_mask: int = 0) -> None:
        self._memory = memory
        self.root = root
        self.levels = levels
        self._frame = _FRAME & ~encryption_mask

    def translate(self, vaddr: int) -> int | None:
        """The physical address that ``vaddr`` is mapped to, or None."""
        return self._walk(vaddr)[0]

    def lost(self, vaddr: int) -> bool:
        """True when the walk to ``vaddr`` meets a table that is not in the dump."""
        return self._walk(vaddr)[1]

    def _walk(self, vaddr: int) -> tuple[int | None, bool]:
        """(physical address, whether a table is missing from the dump)."""
        table = self.root
        for level in range(self.levels, 0, -1):
            shift = 12 + 9 * (level - 1)
            entry = self._memory.u64(table + (vaddr >> shift & 511) * 8)
            if entry is None or not entry & _PRESENT:
                return None, entry is None
            if level == 1 or (level <= 3 and entry & _LARGE):
                offset = (1 << shift) - 1
                return (entry & self._frame & ~offset) | (vaddr & offset), False
            table = entry & self._frame
        return None, False

    def image_runs(self, near: int | None = None) -> tuple[Run, ...]:
        """The mapped runs of the 1 GiB window at START_KERNEL_MAP, ascending.

        2 MiB entries and the pages below 4 KiB tables alike; adjacent ones that are
        consecutive in physical memory and equal in rights are joined.
        """
        pmd_table = self._pmd_table(START_KERNEL_MAP)
        if pmd_table is None:
            return ()
        return tuple(joined(self._pmd_runs(pmd_table)))

    def _pmd_table(self, vaddr: int) -> int | None:
        """Physical address of the level-2 table that covers ``vaddr``."""
        table = self.root
        for level in range(self.levels, 2, -1):
            entry = self._memory.u64(table + (vaddr >> (12 + 9 * (level - 1)) & 511) * 8)
            if entry is None or not entry & _PRESENT or (level == 3 and entry & _LARGE):
                return None
            table = entry & self._frame
        return table

    def _pmd_runs(self, pmd_table: int) -> Iterator[Run]:
        pte_tables = 0
        for index, entry in self._present(pmd_table):
            vaddr = START_KERNEL_MAP + index * PMD_SIZE
            if entry & _LARGE:
                paddr = entry & self._frame & ~(PMD_SIZE - 1)
                yield _run(vaddr, paddr, PMD_SIZE, entry)
            elif pte_tables < _MAX_PTE_TABLES:
                pte_tables += 1
                yield from self._pte_runs(entry & self._frame, vaddr)

    def _pte_runs(self, pte_table: int, vaddr: int) -> Iterator[Run]:
        for index, entry in self._present(pte_table):
            yield _run(vaddr + index * PAGE_SIZE, entry & self._frame, PAGE_SIZE, entry)

    def _present(self, table: int) -> Iterator[tuple[int, int]]:
        data = self._memory.get(table, PAGE_SIZE)
        if data is None:
            return
        for index, entry in enumerate(_TABLE.unpack(data)):
            if entry & _PRESENT:
                yield index, entry


def encryption_mask(memory: Memory, root: int, ram_end: int) -> int:
    """The C-bit used in the table at ``root``, or 0.

    AMD APM vol. 2, 7.10: one address bit, whose number only CPUID tells (47 and 51
    are in use), is set in every entry that points to encrypted memory. Tables
    themselves always are, so it is the bit above all RAM that every present entry
    shares.
    """
    data = memory.get(root, PAGE_SIZE)
    if data is None:
        return 0
    shared = _FRAME & ~((1 << max(ram_end - 1, PAGE_SIZE).bit_length()) - 1)
    present = [entry for entry in _TABLE.unpack(data) if entry & _PRESENT]
    for entry in present:
        shared &= entry
    return shared if present and shared.bit_count() == 1 else 0


def _run(vaddr: int, paddr: int, size: int, entry: int) -> Run:
    return Run(vaddr, paddr, size, bool(entry & _WRITABLE), not entry & _NX)
