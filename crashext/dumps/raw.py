# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain memory without any header: pmemsave, the file of a memory-backend-file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import CorruptDump, MissingMemory
from .base import Range
from .intervals import Piece
from .plain import PlainDump
from .source import Source

_LIMIT = 1 << 52


@dataclass(frozen=True, slots=True)
class RawHeader:
    """A raw file says nothing; ``offset`` is the address that the user gave."""

    offset: int


class RawDump(PlainDump):
    """Memory from one guest-physical address on, byte for byte."""

    format = "raw"
    arch = "unknown"
    byte_order = "little"
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

    def _memory(self) -> Iterator[Piece]:
        """The whole file, see :meth:`PlainDump._memory`."""
        yield Piece(*self.ram[0], 0)

    def _extents(self) -> Iterator[tuple[int, int, int]]:
        """The whole file, see :meth:`PlainDump._extents`."""
        yield self._offset, 0, self._source.size
