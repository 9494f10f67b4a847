# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading memory that is stored page by page."""

from __future__ import annotations

from abc import abstractmethod

from .base import Dump
from .cache import ClosedCache, PageCache
from .source import Source


class PagedDump(Dump):
    """A dump of single pages; those that were read last are kept.

    A subclass sets ``_source``, and ``_cache`` before the first read.
    """

    _source: Source
    _cache: PageCache

    def identity(self) -> tuple[object, ...]:
        """That of the file, see :meth:`Dump.identity`."""
        return self._source.identity()

    @abstractmethod
    def _load(self, pfn: int) -> bytes:
        """The page of a frame, decoded; raises as :meth:`Dump.read` does."""

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory, page by page through the cache."""
        start = paddr % self.page_size
        if 0 <= size <= self.page_size - start:
            return self._page(paddr // self.page_size)[start : start + size]
        parts = []
        end = paddr + size
        while paddr < end:
            start = paddr % self.page_size
            parts.append(self._page(paddr // self.page_size)[start : start + end - paddr])
            paddr += len(parts[-1])
        return b"".join(parts)

    def _page(self, pfn: int) -> bytes:
        page = self._cache.get(pfn)
        if page is None:
            page = self._load(pfn)
            self._cache.put(pfn, page)
        return page

    def close(self) -> None:
        """Close the file, and forget the pages."""
        self._cache = ClosedCache(self.path)
        self._source.close()
