# SPDX-License-Identifier: GPL-3.0-or-later
"""Guest-physical memory as the search reads it: by page, cached, counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from ..dumps.base import ByteOrder
from ..errors import CorruptDump, MissingMemory

_CACHE_PAGES = 4096
#: The unit of caching and counting; the smallest page of any architecture.
PAGE_SIZE = 4096
_RUN = 16 * PAGE_SIZE  # asked of the dump at once


class PhysMemory:
    """A page cache over ``read(paddr, size)`` of a dump or of a crash session.

    A page that can't be decoded counts as missing: one bad page must not end a
    search that other pages answer. ``pages_read`` counts the pages asked of the
    dump, ``bad_pages`` remembers those that were damaged.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], byte_order: ByteOrder = "little", word: int = 8
    ) -> None:
        self._read = read
        self._byte_order = byte_order
        self._word = word
        self._pages: OrderedDict[int, bytes | None] = OrderedDict()
        self.pages_read = 0
        self.bad_pages: dict[int, str] = {}

    def read(self, paddr: int, size: int) -> bytes:
        """Exactly ``size`` bytes from ``paddr``; MissingMemory where the dump has none."""
        parts = []
        end = paddr + size
        while paddr < end:
            base = paddr & ~(PAGE_SIZE - 1)
            take = min(end, base + PAGE_SIZE) - paddr
            parts.append(self.page(base)[paddr - base : paddr - base + take])
            paddr += take
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def page(self, paddr: int) -> bytes:
        """The page at the page-aligned ``paddr``."""
        if paddr in self._pages:
            page = self._pages[paddr]
            self._pages.move_to_end(paddr)
        else:
            page = self._fetch(paddr)
            self._pages[paddr] = page
            if len(self._pages) > _CACHE_PAGES:
                self._pages.popitem(last=False)
        if page is None:
            raise MissingMemory(paddr=paddr)
        return page

    def get(self, paddr: int, size: int) -> bytes | None:
        """Like :meth:`read`, with None for memory that is not there."""
        try:
            return self.read(paddr, size)
        except MissingMemory:
            return None

    def block(self, paddr: int, size: int) -> bytearray:
        """``size`` bytes, held once; pages that are not in the dump read as zeros."""
        block = bytearray(size)
        for at in range(0, size, _RUN):
            end = min(at + _RUN, size)
            try:
                block[at:end] = self._read(paddr + at, end - at)
                self.pages_read += (end - at) // PAGE_SIZE
            except (MissingMemory, CorruptDump):
                self._page_by_page(block, paddr, range(at, end, PAGE_SIZE))
        return block

    def _page_by_page(self, block: bytearray, paddr: int, places: range) -> None:
        for at in places:
            page = self.get(paddr + at, min(PAGE_SIZE, len(block) - at))
            if page is not None:
                block[at : at + len(page)] = page

    def u64(self, paddr: int) -> int | None:
        """The 64-bit number at ``paddr`` in the guest's byte order; None if not in the dump."""
        return self._number(paddr, 8)

    def u32(self, paddr: int) -> int | None:
        """Likewise the 32-bit number."""
        return self._number(paddr, 4)

    def word(self, paddr: int) -> int | None:
        """Likewise the number of a pointer's width."""
        return self._number(paddr, self._word)

    def _number(self, paddr: int, size: int) -> int | None:
        data = self.get(paddr, size)
        return None if data is None else int.from_bytes(data, self._byte_order)

    def _fetch(self, paddr: int) -> bytes | None:
        if paddr < 0:
            return None
        self.pages_read += 1
        try:
            return self._read(paddr, PAGE_SIZE)
        except MissingMemory:
            return None
        except CorruptDump as error:
            self.bad_pages[paddr] = str(error)
            return None
