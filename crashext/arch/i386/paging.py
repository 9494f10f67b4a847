# SPDX-License-Identifier: GPL-3.0-or-later
"""i386 page tables, with PAE and without (Intel SDM vol. 3, 4.3 and 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile

from ..base import Memory, Paging, Run
from ..radix import Leaf, RadixTables, Shape
from .layout import IMAGE_ALIGN, PAE, PAGE_OFFSETS, PAGE_SIZE, WINDOW

_PRESENT, _WRITABLE, _LARGE, _NX = 1 << 0, 1 << 1, 1 << 7, 1 << 63
_PAE_FRAME = (1 << 52) - PAGE_SIZE
#: Reserved in an entry of the four that CR3 names (SDM table 4-8): rights, size, high bits.
#: The bit for "accessed" is as well, but QEMU sets it (target/i386/tcg/sysemu/excp_helper.c).
_PDPTE_RESERVED = 0x1C6 | ~((1 << 52) - 1)
#: Physical address bits 32 to 39 of a 4 MiB page, from bit 13 on (PSE-36).
_PSE36_SHIFT, _PSE36_BITS = 13, 0xFF
_SHAPES = {
    True: Shape((30, 21, 12), 32, width=32),
    False: Shape((22, 12), 32, width=32, entry_size=4),
}
#: A place in the direct map that no guest lacks.
_LOW = 1 << 20
#: The kernel's text is larger than what else is write-protected in the direct map.
_TEXT_LEAST = 1 << 20


class PageTables(RadixTables):
    """One address space: what CR3 names at ``root``."""

    def __init__(self, memory: Memory, root: int, paging: Paging) -> None:
        pae = paging == PAE
        super().__init__(memory, root, _SHAPES[pae], _decode_pae if pae else _decode)

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """The direct map's runs from the image on, ascending.

        The image starts where it is write-protected (mark_rodata_ro, arch/x86/mm/init_32.c);
        before the kernel does that, the runs start with the direct map.
        """
        for start in PAGE_OFFSETS:
            if self.translate(start + _LOW) == _LOW:
                runs = tuple(self.runs(start, min(start + WINDOW, 1 << 32) - 1))
                return tuple(_from_text(runs)) or runs
        return ()


def _from_text(runs: tuple[Run, ...]) -> Iterator[Run]:
    return dropwhile(lambda run: not _is_text(run), runs)


def _is_text(run: Run) -> bool:
    return not run.writable and run.size >= _TEXT_LEAST and run.vaddr % IMAGE_ALIGN == 0


def _decode_pae(entry: int, shift: int, vaddr: int) -> Leaf | int | None:
    if not entry & _PRESENT:
        return None
    frame = entry & _PAE_FRAME
    if shift == 30:
        return None if entry & _PDPTE_RESERVED else frame
    if shift == 12 or entry & _LARGE:
        return Leaf(frame & -(1 << shift), bool(entry & _WRITABLE), not entry & _NX)
    return frame


def _decode(entry: int, shift: int, vaddr: int) -> Leaf | int | None:
    if not entry & _PRESENT:
        return None
    if shift == 12:
        return Leaf(entry & -PAGE_SIZE, bool(entry & _WRITABLE), executable=True)
    if entry & _LARGE:
        high = entry >> _PSE36_SHIFT & _PSE36_BITS
        return Leaf(entry & -(1 << shift) | high << 32, bool(entry & _WRITABLE), executable=True)
    return entry & -PAGE_SIZE
