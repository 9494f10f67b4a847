# SPDX-License-Identifier: GPL-3.0-or-later
"""How the numbers of a kernel's tables are stored."""

from __future__ import annotations

import sys
from array import array
from typing import NamedTuple

from ...dumps.base import ByteOrder

#: A copy of memory; a bytearray where joining its pages would hold it twice.
Block = bytes | bytearray


class Layout(NamedTuple):
    """How the numbers of a kernel are stored: ``word`` is the size of a pointer, 4 or 8."""

    byte_order: ByteOrder = "little"
    word: int = 8

    def numbers(self, code: str, data: Block) -> array[int]:
        """Numbers of :mod:`array`'s type ``code``, in an eighth of the memory of a tuple."""
        numbers = array(code, data)
        if sys.byteorder != self.byte_order:
            numbers.byteswap()
        return numbers

    def words(self, data: Block) -> array[int]:
        """Numbers as wide as a pointer."""
        return self.numbers("Q" if self.word == 8 else "I", data)


def aligned(at: int, unit: int) -> int:
    """The next multiple of ``unit``, a power of two."""
    return at + unit - 1 & -unit


LITTLE64 = Layout()
