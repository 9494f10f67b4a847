# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that a module inside the guest wrote: LiME, and AVML without compression.

Layout: a header of 32 bytes before each range, little-endian: magic, version, the first and the
last physical address, 8 bytes reserved (LiME doc/README.md, AVML src/image.rs). AVML leaves
out blocks of 16 MiB that are all zeros.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import CorruptDump, UnsupportedDump
from .magic import LIME
from .pieces import LIMIT, Pieces, PiecesDump
from .source import Source

HEADER = struct.Struct("<4sI2Q8x")


@dataclass(frozen=True, slots=True)
class LimeHeader:
    """What the headers say: their ``version``, and how many ``ranges`` there are."""

    version: int
    ranges: int


class LimeDump(PiecesDump):
    """Ranges of the guest's RAM, byte for byte."""

    format = "lime"

    def __init__(self, source: Source) -> None:
        """Go from header to header.

        Raises:
            CorruptDump: there is no header where one should be, or it can't be true.
            OverBudget: there are too many.
        """
        pieces, work = Pieces(source), source.work("going from header to header")
        place = count = 0
        while place + HEADER.size <= source.size:
            work.spend(1)
            start, size = read_header(source, place, LIME, 1, pieces.end)
            pieces.add(start, size, place + HEADER.size)
            place += HEADER.size + size
            count += 1
        super().__init__(source, pieces)
        self.header = LimeHeader(1, count)
        if place != source.size:
            what = "a range of memory" if place > source.size else "a header"
            self._cut_off(source.size, what)


def read_header(
    source: Source, place: int, magic: bytes, version: int, end: int
) -> tuple[int, int]:
    """Address and size of the range whose header is at ``place``; ``end`` is that of the last.

    Raises:
        CorruptDump: it is none, or its range is impossible, or not behind the last one.
        UnsupportedDump: it is of another version.
    """
    found, its_version, first, last = HEADER.unpack(source.exactly(place, HEADER.size, "a header"))
    if found != magic:
        problem = f"{found!r} where a header should start with {magic!r}"
        raise CorruptDump(problem, path=source.path, offset=place)
    if its_version != version:
        raise UnsupportedDump(
            f"{magic.decode()} headers of version {its_version}; known is {version}",
            path=source.path,
        )
    if not end <= first <= last < LIMIT:
        problem = f"a range from {first:#x} to {last:#x} behind one that ends at {end:#x}"
        raise CorruptDump(problem, path=source.path, offset=place)
    return first, last + 1 - first
