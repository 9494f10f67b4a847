# SPDX-License-Identifier: GPL-3.0-or-later
"""Where functions end: kallsyms says where they begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .layout import Section

#: Bytes before the next function that are looked at.
_TAIL = 80
#: Bytes of code that are held; of more, which no kernel has but a guest may claim, none are.
_MOST = 96 << 20


class Code:
    """The code of an image, copied once."""

    def __init__(self, section: Section | None, copy: Callable[[int, int], bytearray]) -> None:
        self._start, self._bytes = 0, b""
        if section is not None and section.run is not None and section.size <= _MOST:
            self._start, self._bytes = section.run, bytes(copy(section.run, section.size))

    def read(self, vaddr: int, size: int) -> bytes | None:
        """Bytes at a run-time address; None where this is not all of them."""
        at = vaddr - self._start
        return self._bytes[at : at + size] if 0 <= at <= len(self._bytes) - size else None

    def sizes(self, rooms: Mapping[int, int], padding: Callable[[bytes], int]) -> dict[int, int]:
        """By address, the bytes of what lies in here; ``rooms`` reach up to the next symbol.

        ``padding`` tells how many at the end are none of it.
        """
        start, code = self._start, self._bytes
        most, found = len(code), {}
        for vaddr, room in rooms.items():
            end = vaddr - start + room
            if vaddr >= start and end <= most:
                found[vaddr] = room - padding(code[end - min(room, _TAIL) : end])
        return found
