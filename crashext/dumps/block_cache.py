# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of a compressed file that were read last, and those that threads are unpacking.

Each is a mapping of its own: what it takes goes back to the system when it makes room, and
its zeros, which are not written, take nothing.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Condition

from ..errors import UnreadableDump

PIECE = 1 << 16
"""Bytes that a block is unpacked in at a time."""

_ZEROS = bytes(PIECE)


class BlockCache:
    """``room`` bytes of blocks at most."""

    def __init__(self, room: int, path: str) -> None:
        self._blocks: OrderedDict[int, tuple[mmap.mmap, int]] = OrderedDict()
        self._room = room
        self._path = path
        self._kept = self._promised = 0
        self._making: set[int] = set()
        self._changed = Condition()
        self._closed = False

    def get(self, index: int, size: int, unpack: Callable[[], Iterable[bytes]]) -> mmap.mmap:
        """The block, which ``unpack`` gives in pieces of ``size`` bytes if it isn't here.

        Raises:
            UnreadableDump: the cache is closed.
        """
        with self._changed:
            while not (self._closed or index in self._blocks or self._may_make(index, size)):
                self._changed.wait()
            if self._closed:
                raise UnreadableDump("the dump is closed", path=self._path)
            if index in self._blocks:
                self._blocks.move_to_end(index)
                return self._blocks[index][0]
            self._making.add(index)
            self._promised += size
            while self._blocks and self._kept + self._promised > self._room:
                self._kept -= self._blocks.popitem(last=False)[1][1]
        made: tuple[mmap.mmap, int] | None = None
        try:
            made = _made(size, unpack())
        finally:
            with self._changed:
                self._making.discard(index)
                self._promised -= size
                if made and not self._closed:
                    self._blocks[index] = made
                    self._kept += made[1]
                self._changed.notify_all()
        return made[0]

    def _may_make(self, index: int, size: int) -> bool:
        """Whether nobody else makes it, and there is room beside what others make."""
        fits = not self._promised or self._promised + size <= self._room
        return index not in self._making and fits

    def close(self) -> None:
        """Forget the blocks, and refuse from now on."""
        with self._changed:
            self._closed = True
            self._blocks.clear()
            self._changed.notify_all()


def _made(size: int, pieces: Iterable[bytes]) -> tuple[mmap.mmap, int]:
    """A block of ``size`` bytes, and how many of them it takes."""
    # Not shared: of a shared mapping zeros take memory once they are read.
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    at = taken = 0
    for piece in pieces:
        if not _ZEROS.startswith(piece):
            block[at : at + len(piece)] = piece
            taken += len(piece)
        at += len(piece)
    return block, taken
