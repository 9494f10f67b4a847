# SPDX-License-Identifier: GPL-3.0-or-later
"""The page bitmaps of a kdump: bit n of byte n // 8, lowest first, is page frame n."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate, chain

_CHUNK = 1 << 20  # bytes turned into one integer at a time
_BLOCK = 64  # bytes between two entries of the rank index; more where a bitmap is large
_LARGE = 18  # log2 of the bytes from where on it grows, so that the index stays quick to make
_BITS = tuple(tuple(n for n in range(8) if byte >> n & 1) for byte in range(256))
_NONZERO = re.compile(rb"[^\0]")


class Bitmap:
    """An immutable set of page frame numbers below ``nbits``."""

    def __init__(self, data: bytes, nbits: int) -> None:
        """Take ``data``, whose bits from ``nbits`` on are ignored."""
        data = data[: (nbits + 7) // 8]
        if nbits % 8 and len(data) * 8 > nbits and data[-1] >> nbits % 8:
            last = data[-1] & ((1 << nbits % 8) - 1)
            data = b"".join((memoryview(data)[:-1], bytes([last])))
        self.data = data
        self._block = _BLOCK << (len(data) >> _LARGE).bit_length()

    def __contains__(self, pfn: int) -> bool:
        byte = pfn >> 3
        return 0 <= byte < len(self.data) and bool(self.data[byte] >> (pfn & 7) & 1)

    @cached_property
    def _ranks(self) -> array[int]:
        """How many bits are set before each block; the last entry is the total."""
        data, block = self.data, self._block
        counts = (
            int.from_bytes(data[at : at + block], "little").bit_count()
            for at in range(0, len(data), block)
        )
        return array("Q", accumulate(counts, initial=0))

    def rank(self, pfn: int) -> int:
        """How many frames below ``pfn`` are in the set."""
        byte = min(pfn >> 3, len(self.data))
        start = byte - byte % self._block
        part = int.from_bytes(self.data[start : byte + 1], "little")
        part &= (1 << (pfn - start * 8)) - 1
        return self._ranks[start // self._block] + part.bit_count()

    def __len__(self) -> int:
        return self._ranks[-1]

    def runs(self) -> Iterator[tuple[int, int]]:
        """Half-open runs of frames in the set, ascending.

        A set bit of ``x ^ x << 1`` is where a run starts or ends; the bytes
        without one, nearly all in a real bitmap, are passed over by the regex.
        """
        edges = chain.from_iterable(map(self._edges, range(0, len(self.data), _CHUNK)))
        ends = chain(edges, (len(self.data) * 8,))
        yield from zip(ends, ends, strict=False)

    def _edges(self, at: int) -> Iterator[int]:
        chunk = self.data[at : at + _CHUNK]
        before = self.data[at - 1] >> 7 if at else 0
        bits = int.from_bytes(chunk, "little")
        changes = (bits ^ (bits << 1 | before)).to_bytes(len(chunk) + 1, "little")
        for match in _NONZERO.finditer(changes, 0, len(chunk)):
            first = (at + match.start()) * 8
            for bit in _BITS[match.group()[0]]:
                yield first + bit
