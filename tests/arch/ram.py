# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory for tests of page tables: entries by their address, zeros elsewhere."""

from __future__ import annotations


class Ram:
    """Guest-physical memory up to ``end``; ``reads`` counts."""

    def __init__(self, end: int = 1 << 32) -> None:
        self.u64s: dict[int, int] = {}
        self.u32s: dict[int, int] = {}
        self.end = end
        self.reads = 0

    def get(self, paddr: int, size: int) -> bytes | None:
        self.reads += 1
        if not 0 <= paddr <= self.end - size:
            return None
        data = bytearray(size)
        for width, entries in ((8, self.u64s), (4, self.u32s)):
            for at in range(paddr, paddr + size - width + 1, 4):
                if at in entries:
                    data[at - paddr : at - paddr + width] = entries[at].to_bytes(width, "little")
        return bytes(data)

    def u64(self, paddr: int) -> int | None:
        data = self.get(paddr, 8)
        return None if data is None else int.from_bytes(data, "little")

    def u32(self, paddr: int) -> int | None:
        data = self.get(paddr, 4)
        return None if data is None else int.from_bytes(data, "little")

    word = u64
