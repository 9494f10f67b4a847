# SPDX-License-Identifier: GPL-3.0-or-later
"""ppc64le page tables: translating one address, and listing the kernel-image mapping.

A radix tree (Power ISA, "Radix Tree Translation") is big-endian whatever the guest, and
maps the linear mapping too. With the hash MMU the kernel has a tree for vmalloc and the
like alone; the linear mapping is what it is by definition. Tables come from a hostile
guest: every walk has a fixed number of steps, and an entry that leaves the dump just ends it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..base import Memory, Paging, Run
from ..runs import joined
from .layout import PAGE_OFFSET, is_image_vaddr

#: Of all entries: valid, and of those that map a page: leaf.
_VALID, _LEAF = 1 << 63, 1 << 62
#: What a directory entry names: a table, and how many bits index it.
_TABLE, _INDEX_BITS = 0x0FFF_FFFF_FFFF_FF00, 0x1F
#: What a leaf names, and the access it allows.
_FRAME, _WRITE, _EXECUTE = 0x01FF_FFFF_FFFF_F000, 2, 1
#: Bits of an address that index each table, from the top, by the size of a page.
_SHAPES = {64 << 10: (13, 9, 9, 5), 4 << 10: (13, 9, 9, 9)}
_QUADRANT_BITS = 52
#: An image and what it is listed in steps of: kernels align its parts to 64 KiB or more.
_IMAGE_MAX, _STEP = 64 << 20, 64 << 10
_HASH_ROOT = struct.Struct(">512Q")


class RadixTables:
    """One address space: a radix tree whose top-level table is at ``root``."""

    def __init__(self, memory: Memory, root: int, paging: Paging) -> None:
        self._memory = memory
        self._shape = _SHAPES[paging.page_size]
        self.root = root

    def translate(self, vaddr: int) -> int | None:
        """The physical address that ``vaddr`` is mapped to, or None."""
        leaf, shift, _ = self._walk(vaddr)
        if leaf is None:
            return None
        offset = (1 << shift) - 1
        return leaf & _FRAME & ~offset | vaddr & offset

    def lost(self, vaddr: int) -> bool:
        """True when the walk to ``vaddr`` meets a table that is not in the dump."""
        return self._walk(vaddr)[2]

    def _walk(self, vaddr: int) -> tuple[int | None, int, bool]:
        """(leaf entry, bits of an address inside its page, whether a table is missing)."""
        table, shift = self.root, _QUADRANT_BITS
        if vaddr >> 62 != PAGE_OFFSET >> 62 or vaddr >> _QUADRANT_BITS & 0x3FF:
            return None, shift, False
        for level, bits in enumerate(self._shape):
            shift -= bits
            data = self._memory.get(table + (vaddr >> shift & (1 << bits) - 1) * 8, 8)
            if data is None:
                return None, shift, True
            entry = int.from_bytes(data, "big")
            if not entry & _VALID:
                return None, shift, False
            if entry & _LEAF:
                return entry, shift, False
            following = self._shape[level + 1 : level + 2]
            if (entry & _INDEX_BITS,) != following:
                return None, shift, False
            table = entry & _TABLE
        return None, shift, False

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """What is mapped from ``near`` on, as far as an image can reach."""
        return () if near is None else tuple(joined(self._pieces(near & -_STEP)))

    def _pieces(self, start: int) -> Iterator[Run]:
        vaddr, end = start, start + _IMAGE_MAX
        while vaddr < end:
            leaf, shift, _ = self._walk(vaddr)
            paddr = self.translate(vaddr)
            if leaf is None or paddr is None:
                return
            size = min((1 << shift) - vaddr % (1 << shift), end - vaddr)
            yield Run(vaddr, paddr, size, bool(leaf & _WRITE), bool(leaf & _EXECUTE))
            vaddr += size


class LinearMapping:
    """The linear mapping of RAM up to ``ram_end``, and nothing else."""

    def __init__(self, ram_end: int) -> None:
        self._ram_end = ram_end

    def translate(self, vaddr: int) -> int | None:
        """The physical address of ``vaddr``, None outside the linear mapping of RAM."""
        paddr = vaddr - PAGE_OFFSET
        return paddr if is_image_vaddr(vaddr) and paddr < self._ram_end else None

    def lost(self, vaddr: int) -> bool:
        """False: no table is asked."""
        return False

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        """RAM from ``near`` on, as far as an image can reach; nothing tells its rights."""
        start = None if near is None else self.translate(near & -_STEP)
        if near is None or start is None:
            return ()
        size = min(_IMAGE_MAX, self._ram_end - start)
        return (Run(near & -_STEP, start, size, writable=True, executable=True),)


def is_hash_tree(memory: Memory, root: int) -> bool:
    """Whether ``root`` is the top-level table of a kernel with the hash MMU.

    It has 512 entries at the most, which name tables without their size (book3s/64/hash.h);
    a radix tree's first entry is that of the linear mapping.
    """
    data = memory.get(root, _HASH_ROOT.size)
    if data is None:
        return False
    present = [entry for entry in _HASH_ROOT.unpack(data) if entry]
    return bool(present) and all(
        entry & _VALID and not entry & (_LEAF | _INDEX_BITS) for entry in present
    )
