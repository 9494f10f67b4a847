# SPDX-License-Identifier: GPL-3.0-or-later
"""A page cache of bounded size, shared by the threads that read one dump."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from ..errors import UnreadableDump


class PageCache:
    """The most recently used pages, ``limit`` bytes of them at most."""

    def __init__(self, page_size: int, limit: int = 4 << 20) -> None:
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self._lock = Lock()
        self._most = max(limit // page_size, 1)

    def get(self, key: int) -> bytes | None:
        """The page, which becomes the most recently used one; None if it isn't here."""
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
            return page

    def put(self, key: int, page: bytes) -> None:
        """Keep the page; the least recently used one makes room."""
        with self._lock:
            self._pages[key] = page
            if len(self._pages) > self._most:
                self._pages.popitem(last=False)


class ClosedCache(PageCache):
    """What takes a cache's place when its dump is closed: nothing is read any longer."""

    def __init__(self, path: str) -> None:
        super().__init__(1, 1)
        self._path = path

    def get(self, key: int) -> bytes | None:
        """Refuse: the file is closed."""
        raise UnreadableDump("the dump is closed", path=self._path)

    def put(self, key: int, page: bytes) -> None:
        """Keep nothing of what another thread was still reading."""
