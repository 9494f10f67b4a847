# SPDX-License-Identifier: GPL-3.0-or-later
"""riscv64 page tables: Sv39, Sv48 and Sv57 (Privileged Architecture, 12.3 to 12.6)."""

from __future__ import annotations

from ..base import Memory, Paging, Run
from ..radix import Leaf, RadixTables, Shape
from .layout import KERNEL_LINK_ADDR, WINDOW

_VALID, _READ, _WRITE, _EXECUTE = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FRAME_SHIFT, _FRAME_MASK = 10, (1 << 44) - 1
_PAGE_SHIFT = 12
#: Svnapot: 16 entries alike map 64 KiB; what would be the page's number says how many.
_NAPOT, _NAPOT_PAGES, _NAPOT_64K = 1 << 63, 16, 8


class PageTables(RadixTables):
    """One address space: a top-level table at ``root``."""

    def __init__(self, memory: Memory, root: int, paging: Paging) -> None:
        shifts = tuple(_PAGE_SHIFT + 9 * level for level in reversed(range(paging.levels)))
        super().__init__(memory, root, Shape(shifts, paging.va_bits), decode)

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """The mapped runs of the window at KERNEL_LINK_ADDR, ascending."""
        return tuple(self.runs(KERNEL_LINK_ADDR, KERNEL_LINK_ADDR + WINDOW - 1))


def decode(entry: int, shift: int, vaddr: int) -> Leaf | int | None:
    """What an entry means; one with rights is a leaf at any level, aligned to its size."""
    if not entry & _VALID:
        return None
    frame = entry >> _FRAME_SHIFT & _FRAME_MASK
    rights = entry & (_READ | _WRITE | _EXECUTE)
    if not rights:
        return frame << _PAGE_SHIFT if shift > _PAGE_SHIFT else None
    if entry & _NAPOT:
        if shift > _PAGE_SHIFT or frame % _NAPOT_PAGES != _NAPOT_64K:
            return None
        frame += (vaddr >> _PAGE_SHIFT) % _NAPOT_PAGES - _NAPOT_64K
    if rights & (_READ | _WRITE) == _WRITE or (frame << _PAGE_SHIFT) % (1 << shift):
        return None
    return Leaf(frame << _PAGE_SHIFT, bool(rights & _WRITE), bool(rights & _EXECUTE))
