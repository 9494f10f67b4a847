# SPDX-License-Identifier: GPL-3.0-or-later
"""XBZRLE: a page sent as what differs from the one sent before; QEMU migration/xbzrle.c.

A page is told in pairs: bytes that stay, as a number, and bytes that are new, as a number and
those bytes. Numbers are of 14 bits at most, in one byte or two (uleb128_decode_small).
"""

from __future__ import annotations

from array import array

from ..budget import Budget
from ..errors import CorruptDump
from .codecs import DecodeError
from .qevm_pages import DELTA

HEADER = 3
"""Bytes before the pairs: the encoding, which is 1, and their length in 16 bits."""

_MOST = 4096  # differences of one page, far more than a migration has rounds
_GROWTH = 512
_SIZE = 16  # bytes of memory that a difference takes


class Deltas:
    """The differences of a stream: each knows its place, and what the page was before."""

    def __init__(self, budget: Budget, path: str) -> None:
        self._budget = budget
        self._path = path
        self._before = array("Q")
        self._places = array("Q")

    def add(self, before: int, place: int) -> int:
        """Note that the page of the index entry ``before`` changed by what lies at ``place``.

        The answer is the page's new entry.

        Raises:
            OverBudget: there are too many.
        """
        number = len(self._places)
        if number % _GROWTH == 0:
            self._budget.hold(_GROWTH * _SIZE, "the list of XBZRLE differences", self._path)
        self._before.append(before)
        self._places.append(place)
        return DELTA | number

    def chain(self, entry: int) -> tuple[int, list[int]]:
        """The entry that a page began with, and the places of its differences, first to last.

        Raises:
            CorruptDump: there are more than any migration makes.
        """
        places: list[int] = []
        while entry & DELTA:
            if len(places) == _MOST:
                raise CorruptDump(
                    f"a page with more than {_MOST} XBZRLE differences",
                    path=self._path,
                    offset=places[0],
                )
            number = entry & ~DELTA
            places.append(self._places[number])
            entry = self._before[number]
        return entry, places[::-1]


def applied(page: bytes, pairs: bytes) -> bytes:
    """The page after the change that ``pairs`` tell.

    Raises:
        DecodeError: they go beyond the page, or end too early.
    """
    changed = bytearray(page)
    at = place = 0
    while at < len(pairs):
        kept, at = _number(pairs, at)
        fresh, at = _number(pairs, at)
        place += kept
        if not fresh or at + fresh > len(pairs) or place + fresh > len(page):
            raise DecodeError(f"{fresh} bytes for offset {place} of the page")
        changed[place : place + fresh] = pairs[at : at + fresh]
        at += fresh
        place += fresh
    return bytes(changed)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    low, high = (*data[at : at + 2], 0, 0)[:2]
    if at >= len(data) or (low & 0x80 and (high & 0x80 or at + 1 == len(data))):
        raise DecodeError("a length that does not end")
    return (low & 0x7F | high << 7, at + 2) if low & 0x80 else (low, at + 1)
