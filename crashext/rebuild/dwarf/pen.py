# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as bytes of a byte order and word size: one row, or all rows of a table by columns."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from functools import cache

from .abbrev import ByteOrder

_TYPES = {"B": (1, "B"), "I": (4, "I"), "Q": (8, "Q")}


class Pen:
    """Writes rows. A format has B, I, Q for 1, 4 and 8 bytes, P for an address."""

    def __init__(self, order: ByteOrder, word: int) -> None:
        self.order: ByteOrder = order
        self.word = word
        self._mark = "<" if order == "little" else ">"
        self.row = cache(self._row)

    def _row(self, fields: str) -> struct.Struct:
        return struct.Struct(self._mark + fields.replace("P", "Q" if self.word == 8 else "I"))

    def width(self, fields: str) -> int:
        """Bytes of a row."""
        return int(self.row(fields).size)

    def table(self, fields: str, rows: int, *columns: Sequence[int] | int) -> bytearray:
        """All rows of a table; a number in place of a column is the same in each.

        Whole columns are copied at a time: no row is made by itself.
        """
        width = self.width(fields)
        out = bytearray(rows * width)
        at = 0
        for field, column in zip(fields, columns, strict=True):
            size, code = _TYPES["Q" if field == "P" and self.word == 8 else field.replace("P", "I")]
            if isinstance(column, int):
                for n, byte in enumerate(column.to_bytes(size, self.order)):
                    out[at + n :: width] = bytes((byte,)) * rows
            else:
                cells = array(code, column)
                if self.order != sys.byteorder:
                    cells.byteswap()
                data = cells.tobytes()
                for n in range(size):
                    out[at + n :: width] = data[n::size]
            at += size
        return out


def sleb128(value: int) -> bytes:
    """A signed number as DWARF's LEB128 (7.6)."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value == (-1 if byte & 0x40 else 0):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)
