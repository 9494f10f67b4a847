# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a stretch of memory is zeros, left out or stored, and how small it packs."""

from __future__ import annotations

import zlib
from typing import NamedTuple, Protocol

from ..errors import DumpError, MissingMemory


class Readable(Protocol):
    """What a sample is taken of: a :class:`crashext.dumps.base.Dump`."""

    page_size: int

    def read(self, paddr: int, size: int) -> bytes:
        """Memory."""


class Tally(NamedTuple):
    """Pages of a stretch, in the dump's unit.

    Attributes:
        pages: how many there are.
        seen: of how many it was told what they are.
        missing: of those, left out of the dump, or lost with a part of the file.
        zero: of those, nothing but zeros.
        packed: bytes that the others take: as stored, where the dump is compressed.
    """

    pages: int = 0
    seen: int = 0
    missing: int = 0
    zero: int = 0
    packed: int = 0

    @property
    def stored(self) -> int:
        """Pages seen that hold something."""
        return self.seen - self.missing - self.zero

    def __add__(self, other: object) -> Tally:
        if not isinstance(other, Tally):
            return NotImplemented
        return Tally(*map(sum, zip(self, other, strict=True)))


def spread(first: int, count: int, most: int) -> range:
    """``most`` numbers at most out of ``count`` from ``first`` on, evenly; its step says how."""
    return range(first, first + count, max(-(-count // max(most, 1)), 1))


def sampled(dump: Readable, start: int, end: int, most: int) -> Tally:
    """A tally by reading ``most`` pages of ``[start, end)``, each packed by zlib at its fastest."""
    size = dump.page_size
    count = max((end - start) // size, 0)
    tally, zeros = Tally(count), bytes(size)
    for number in spread(0, count, most):
        try:
            page = dump.read(start + number * size, size)
        except (MissingMemory, DumpError):
            tally += Tally(seen=1, missing=1)
            continue
        if page == zeros:
            tally += Tally(seen=1, zero=1)
        else:
            tally += Tally(seen=1, packed=min(len(zlib.compress(page, 1)), size))
    return tally
