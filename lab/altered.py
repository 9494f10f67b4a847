# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump with some of its pages replaced in memory; the file stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crashext.dumps.base import Dump, Range
from crashext.dumps.intervals import union
from crashext.errors import MissingMemory

PAGE = 4096


class Altered(Dump):
    """``dump`` with the pages of ``altered`` in place of its own; None stands for a lost one.

    ``touched`` collects the pages that were read. With ``seen`` a search of what is stored
    passes over altered pages too that the file has as a hole, or not at all.
    """

    def __init__(self, dump: Dump, *, seen: bool = False) -> None:
        for name in ("path", "format", "arch", "byte_order", "page_size", "header", "notes", "ram",
                     "vmcoreinfo", "complete"):  # fmt: skip
            setattr(self, name, getattr(dump, name))
        self._dump = dump
        self._seen = seen
        self.altered: dict[int, bytes | None] = {}
        self.touched: set[int] = set()

    @property
    def stored(self) -> tuple[Range, ...]:
        """The dump's own, and the altered pages if they are to be seen."""
        if not self._seen:
            return self._dump.stored
        altered = (Range(paddr, paddr + PAGE) for paddr in self.altered)
        return union((*self._dump.stored, *altered))

    def read(self, paddr: int, size: int) -> bytes:
        """Memory as altered; a read that goes beyond one page sees the dump's own."""
        base = paddr & -PAGE
        self.touched.add(base)
        if base not in self.altered or paddr + size > base + PAGE:
            return self._dump.read(paddr, size)
        page = self.altered[base]
        if page is None:
            raise MissingMemory(paddr=paddr, path=self.path)
        return page[paddr - base : paddr - base + size]

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The dump's own, as altered."""
        for paddr, head in self._dump.page_heads(size):
            page = self.altered.get(paddr, head)
            if page is not None:
                yield paddr, page[:size]

    def pages_with(self, marks: Any, **options: Any) -> Iterator[int]:
        """The dump's own, as altered."""
        found = set(self._dump.pages_with(marks, **options)) - self.altered.keys()
        for paddr, page in self.altered.items():
            if page and any(page.startswith(wanted, offset) for offset, wanted in marks):
                found.add(paddr)
        return iter(sorted(found))

    def write(self, paddr: int, data: bytes) -> None:
        """Overwrite memory; what the dump lacks of the pages concerned counts as zeros."""
        while data:
            base = paddr & -PAGE
            page = bytearray(self.page(base) or bytes(PAGE))
            take = min(len(data), base + PAGE - paddr)
            page[paddr - base : paddr - base + take] = data[:take]
            self.altered[base] = bytes(page)
            paddr, data = paddr + take, data[take:]

    def page(self, paddr: int) -> bytes | None:
        """The page at ``paddr`` as altered, None where there is none."""
        if paddr in self.altered:
            return self.altered[paddr]
        try:
            return self._dump.read(paddr, PAGE)
        except MissingMemory:
            return None

    def close(self) -> None:
        """Nothing of ours is open."""
