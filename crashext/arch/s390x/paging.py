# SPDX-License-Identifier: GPL-3.0-or-later
"""s390x page tables: translating one address, and listing the kernel-image mapping.

Formats are those of the Principles of Operation, "Dynamic Address Translation": region and
segment tables have 2048 entries, of which a table may lack some at either end; page tables
have 256. Tables come from a hostile guest: every walk has a fixed number of steps, and an
entry that leaves the dump just ends it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain, islice

from ..base import MASK64, Memory, Paging, Run
from ..runs import joined
from .layout import IMAGE_ALIGN, PAGE_SIZE, said_voffset
from .lowcore import vmcoreinfo

#: Of region and segment entries: not valid; a frame of 2 GiB or 1 MiB (EDAT).
_INVALID, _FRAME = 0x20, 0x400
#: Of all entries: stores are refused; instructions are not fetched from there.
_PROTECT, _NO_EXECUTE = 0x200, 0x100
_PAGE_INVALID = 0x400
#: Of an entry that names a region or segment table: the first and last quarter that is there.
_FIRST_SHIFT, _LAST_MASK, _QUARTER_SHIFT = 6, 3, 9
_PAGE_TABLE, _QUARTER = struct.Struct(">256Q"), struct.Struct(">512Q")
_SEGMENT = 1 << 20
#: Segments looked at below and above an address of the image, which has some 24 MiB.
_REACH = 64
#: So many in a row without pages that can't be written end it.
_GAP = 4
#: No kernel has less text. What else can be executed (.amode31, trampolines) has some pages.
_TEXT_LEAST = 64 << 10
#: Tables and segments looked at for an image that has a mapping of its own.
_MAX_TABLES, _MAX_SEGMENTS = 8, 128


class PageTables:
    """One address space, whose top-level table is at ``root``."""

    def __init__(self, memory: Memory, root: int, paging: Paging) -> None:
        self._memory = memory
        self.root = root
        self.paging = paging

    def translate(self, vaddr: int) -> int | None:
        """The physical address that ``vaddr`` is mapped to, or None."""
        return self._walk(vaddr)[0]

    def lost(self, vaddr: int) -> bool:
        """True when the walk to ``vaddr`` meets a table that is not in the dump."""
        return self._walk(vaddr)[1]

    def _walk(self, vaddr: int) -> tuple[int | None, bool]:
        """(physical address, whether a table is missing from the dump)."""
        entry, shift, missing = self._segment_entry(vaddr)
        if entry is None:
            return None, missing
        if entry & _FRAME:
            return _frame(entry, vaddr, shift), False
        page = self._memory.u64((entry & -0x800) + (vaddr >> 12 & 255) * 8)
        if page is None or page & _PAGE_INVALID:
            return None, page is None
        return _frame(page, vaddr, 12), False

    def _segment_entry(self, vaddr: int) -> tuple[int | None, int, bool]:
        """The entry for ``vaddr`` that names a page table or a frame, and its shift.

        With None, whether a table is missing from the dump.
        """
        shift, entry = 20, 0
        if vaddr >> self.paging.va_bits:
            return None, shift, False
        table, first, last = self.root, 0, _LAST_MASK
        for level in range(self.paging.levels - 2, -1, -1):
            shift = 20 + 11 * level
            index = vaddr >> shift & 0x7FF
            if not first <= index >> _QUARTER_SHIFT <= last:
                return None, shift, False
            found = self._memory.u64(table + index * 8)
            if found is None or found & _INVALID:
                return None, shift, found is None
            entry = found
            if level == 0 or (level == 1 and entry & _FRAME):
                break
            table = entry & -PAGE_SIZE
            first, last = entry >> _FIRST_SHIFT & 3, entry & _LAST_MASK
        return entry, shift, False

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """The runs around ``near``, from the start of the kernel's text on, ascending.

        Without ``near``: around the text that the lowcore leads to, or around where the
        top-level table is mapped itself, which is a part of the image (swapper_pg_dir, in
        .bss). In the identity mapping all of RAM is mapped alike; that the text can't be
        written and can be executed sets it apart.
        """
        if near is not None:
            return _from_text(self._around(near))
        for guess in (self._told_vaddr, self._identity_vaddr, self._own_vaddr):
            anchor = guess()
            runs = () if anchor is None else _from_text(self._around(anchor))
            if runs:
                return runs
        return ()

    def _told_vaddr(self) -> int | None:
        """``_stext`` as the lowcore's VMCOREINFO has it, where these tables map it so."""
        found = vmcoreinfo(self._memory)
        if found is None:
            return None
        stext, voffset = found[1].symbol("_stext"), said_voffset(found[1])
        if stext is None or voffset is None:
            return None
        return stext if self.translate(stext) == (stext - voffset) & MASK64 else None

    def _identity_vaddr(self) -> int | None:
        """Where the identity mapping has the top-level table."""
        return self.root if self.translate(self.root) == self.root else None

    def _own_vaddr(self) -> int | None:
        """Where a mapping of the image's own, at the top of the address space, has it."""
        inside = self.root & (_SEGMENT - 1)
        for start in islice(self._top_segments(), _MAX_SEGMENTS):
            if self.translate(start + inside) == self.root != start + inside:
                return start + inside
        return None

    def _top_segments(self) -> Iterator[int]:
        """The starts of mapped segments, from the top of the address space down."""
        tables = [(self.root, self.paging.levels - 2, 0)]
        for _ in range(_MAX_TABLES):
            if not tables:
                return
            table, level, start = tables.pop()
            present = self._present(table, start, 20 + 11 * level)
            if level == 0:
                yield from (vaddr for vaddr, _ in reversed(present))
            else:
                tables += ((entry & -PAGE_SIZE, level - 1, vaddr) for vaddr, entry in present)

    def _present(self, table: int, start: int, shift: int) -> list[tuple[int, int]]:
        """The valid entries of a region or segment table, each with its first address."""
        found = []
        for quarter in range(4):
            data = self._memory.get(table + quarter * PAGE_SIZE, PAGE_SIZE)
            for index, entry in enumerate(() if data is None else _QUARTER.unpack(data)):
                if not entry & _INVALID:
                    found.append((start + (quarter * 512 + index << shift), entry))
        return found

    def _around(self, anchor: int) -> list[Run]:
        """What is mapped in the segments around ``anchor``, in pieces of equal rights."""
        here = anchor & -_SEGMENT
        below = list(self._stretch(range(here, max(here - _REACH * _SEGMENT, -1), -_SEGMENT)))
        above = self._stretch(range(here + _SEGMENT, here + _REACH * _SEGMENT, _SEGMENT))
        return list(joined(chain.from_iterable((*reversed(below), *above))))

    def _stretch(self, segments: range) -> Iterator[list[Run]]:
        """The runs of one segment after another, to where the kernel's read-only part ends."""
        seen, plain = 0, 0
        for start in segments:
            runs = list(self._segment_runs(start))
            if not runs:
                return
            yield runs
            fixed = [run for run in runs if not run.writable]
            seen += sum(run.size for run in fixed if run.executable)
            plain = 0 if fixed else plain + 1
            if plain >= _GAP and seen >= _TEXT_LEAST:
                return

    def _segment_runs(self, start: int) -> Iterator[Run]:
        """The mapped pages of one segment of 1 MiB."""
        entry, shift, _ = self._segment_entry(start)
        if entry is None:
            return
        if entry & _FRAME:
            yield _run(start, _frame(entry, start, shift), _SEGMENT, entry)
            return
        data = self._memory.get(entry & -0x800, _PAGE_TABLE.size)
        for index, page in enumerate(() if data is None else _PAGE_TABLE.unpack(data)):
            if not page & _PAGE_INVALID:
                yield _run(start + index * PAGE_SIZE, page & -PAGE_SIZE, PAGE_SIZE, page | entry)


def _frame(entry: int, vaddr: int, shift: int) -> int:
    """The physical address that ``vaddr`` has in the frame of ``entry``."""
    offset = (1 << shift) - 1
    return entry & ~offset | vaddr & offset


def _run(vaddr: int, paddr: int, size: int, entry: int) -> Run:
    return Run(vaddr, paddr, size, not entry & _PROTECT, not entry & _NO_EXECUTE)


def _from_text(runs: list[Run]) -> tuple[Run, ...]:
    """The runs from the start of the kernel's text on; none where no text is among them.

    Kernels before 6.10 may have .amode31, which is mapped alike, right before it
    (arch/s390/boot/startup.c): what is no multiple of the image's alignment is not the start.
    """
    for index, run in enumerate(runs):
        if not run.writable and run.executable and run.size >= _TEXT_LEAST:
            ahead = -run.vaddr % IMAGE_ALIGN
            first = run._replace(
                vaddr=run.vaddr + ahead, paddr=run.paddr + ahead, size=run.size - ahead
            )
            return first, *runs[index + 1 :]
    return ()
