# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain memory without any header: pmemsave, the file of a memory-backend-file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import CorruptDump, MissingMemory
from .base import Dump, Range
from .source import Source

_CHUNK = 1 << 20
_LIMIT = 1 << 52


@dataclass(frozen=True, slots=True)
class RawHeader:
    """A raw file says nothing; ``offset`` is the address that the user gave."""

    offset: int


class RawDump(Dump):
    """Memory from one guest-physical address on, byte for byte."""

    format = "raw"
    arch = "unknown"
    byte_order = "little"
    page_size = 4096
    notes = ()
    vmcoreinfo = None

    def __init__(self, source: Source, offset: int = 0) -> None:
        """Take the file as memory whose first byte is at physical address ``offset``."""
        if not 0 <= offset <= _LIMIT - source.size:
            raise CorruptDump(f"no memory can start at {offset:#x}", path=source.path)
        self._source = source
        self._offset = offset
        self.path = source.path
        self.header = RawHeader(offset)
        self.ram = (Range(offset, offset + source.size),)
        self.complete = source.complete
        self.warnings = source.warnings

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory, straight from the file."""
        if not self.ram[0].start <= paddr < self.ram[0].end:
            if size == 0:
                return b""
            raise MissingMemory(paddr=paddr, path=self.path)
        data = self._source.pread(paddr - self._offset, size)
        if len(data) < size:
            raise MissingMemory(paddr=paddr + len(data), path=self.path)
        return data

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every 4 KiB page, see :meth:`Dump.page_heads`."""
        skip = -self._offset % self.page_size
        for at in range(skip, self._source.size, _CHUNK):
            chunk = self._source.pread(at, _CHUNK)
            for index in range(0, len(chunk) - size + 1, self.page_size):
                yield self._offset + at + index, chunk[index : index + size]

    def close(self) -> None:
        """Close the file."""
        self._source.close()
