# SPDX-License-Identifier: GPL-3.0-or-later
"""Physical memory that a test lays tables out in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crashext.dumps.base import ByteOrder
from crashext.errors import MissingMemory
from crashext.locate.memory import PhysMemory

PAGE = 4096


@dataclass
class Physical:
    """Pages that exist; others are missing. Table entries are written big-endian."""

    pages: dict[int, bytearray] = field(default_factory=dict)

    def write(self, paddr: int, data: bytes) -> None:
        """Put ``data`` at ``paddr``, whatever pages it takes."""
        for at, byte in enumerate(data, paddr):
            self.pages.setdefault(at // PAGE, bytearray(PAGE))[at % PAGE] = byte

    def entry(self, table: int, index: int, value: int) -> None:
        """Write one entry of a table."""
        self.write(table + index * 8, value.to_bytes(8, "big"))

    def fill(self, table: int, entries: Sequence[int]) -> None:
        """Write a table's entries, from the first on."""
        self.write(table, b"".join(entry.to_bytes(8, "big") for entry in entries))

    def _read(self, paddr: int, size: int) -> bytes:
        if paddr // PAGE not in self.pages:
            raise MissingMemory(paddr=paddr)
        return bytes(self.pages[paddr // PAGE][paddr % PAGE : paddr % PAGE + size])

    def memory(self, byte_order: ByteOrder = "big") -> PhysMemory:
        """The same, as an architecture reads it."""
        return PhysMemory(self._read, byte_order)
