# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain memory without any header: pmemsave, the file of a memory-backend-file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import CorruptDump
from .joined import JoinedSource
from .pieces import LIMIT, Pieces, PiecesDump
from .source import Source


@dataclass(frozen=True, slots=True)
class RawHeader:
    """A raw file says nothing; ``offsets`` are the addresses that the user gave, one a file."""

    offsets: tuple[int, ...]

    @property
    def offset(self) -> int:
        """That of the first file."""
        return self.offsets[0]


class RawDump(PiecesDump):
    """Memory from an address on, byte for byte; of several files each from its own."""

    format = "raw"
    header: RawHeader

    def __init__(self, source: Source, offset: int = 0) -> None:
        """Take the file as memory whose first byte is at physical address ``offset``."""
        self._set([source], (offset,), source)

    @classmethod
    def of(cls, parts: Sequence[RawDump]) -> RawDump:
        """Several files as one memory.

        Raises:
            CorruptDump: two of them are memory of the same address.
        """
        dump = cls.__new__(cls)
        sources = [part._source for part in parts]
        dump._set(sources, tuple(part.header.offset for part in parts), JoinedSource(sources))
        return dump

    def _set(self, sources: Sequence[Source], offsets: tuple[int, ...], whole: Source) -> None:
        starts = whole.starts if isinstance(whole, JoinedSource) else [0]
        pieces, before = Pieces(whole), ""
        for offset, source, place in sorted(
            zip(offsets, sources, starts, strict=True), key=lambda part: part[0]
        ):
            if not 0 <= offset <= LIMIT - source.size:
                raise CorruptDump(f"no memory can start at {offset:#x}", path=source.path)
            if offset < pieces.end:
                raise CorruptDump(
                    f"its memory from {offset:#x} on overlaps that of {before}, which goes up to "
                    f"{pieces.end:#x}",
                    path=source.path,
                )
            pieces.add(offset, source.size, place)
            before = source.path
        super().__init__(whole, pieces)
        self.header = RawHeader(offsets)
