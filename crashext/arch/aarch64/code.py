# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses the instructions of a function make up and use (Arm ARM, C4.1).

A page is loaded with ADRP, what is in it is added or is an access's offset. Registers are
followed from one instruction to the next as they stand, whatever jumps there: an address may be
missed or made up, who asks has to know it by other means.
"""

from __future__ import annotations

import sys
from array import array

from ..base import MASK64

_CALLER_SAVED = range(19)  # registers that a call changes (AAPCS64)
_ZERO = 31


def addresses(code: bytes, vaddr: int) -> frozenset[int]:
    """Those that the function at ``vaddr``, whose instructions ``code`` are, makes up or uses."""
    found: set[int] = set()
    known: dict[int, int] = {}
    words = array("I", code[: len(code) & -4])
    if sys.byteorder == "big":
        words.byteswap()
    for index, word in enumerate(words):
        rd, rn = word & 31, word >> 5 & 31
        base = known.get(rn)
        if word & 0x9F00_0000 == 0x9000_0000:  # ADRP
            page = (vaddr + index * 4 & ~0xFFF) + _adrp_distance(word)
            known[rd] = page & MASK64
        elif word & 0x7F80_0000 == 0x1100_0000 or word & 0x7F80_0000 == 0x5100_0000:
            _set(known, rd, None if base is None else base + _added(word))
            found.update([known[rd]] if rd in known else [])
        elif word & 0xFFE0_FFE0 == 0xAA00_03E0:  # MOV
            _set(known, rd, known.get(word >> 16 & 31))
        elif word & 0x0A00_0000 == 0x0800_0000:
            if base is not None:
                found.add(base + _offset(word) & MASK64)
            _forget(known, word)
        elif word & 0xFC00_0000 == 0x9400_0000 or word & 0xFFFF_FC1F == 0xD63F_0000:  # BL, BLR
            for register in _CALLER_SAVED:
                known.pop(register, None)
        elif word & 0x1C00_0000 != 0x1400_0000:
            known.pop(rd, None)
    return frozenset(found)


def _set(known: dict[int, int], register: int, value: int | None) -> None:
    if value is None or register == _ZERO:
        known.pop(register, None)
    else:
        known[register] = value & MASK64


def _adrp_distance(word: int) -> int:
    pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    return (pages - (pages >> 20 << 21)) << 12


def _added(word: int) -> int:
    """Of ADD and SUB (immediate)."""
    value = (word >> 10 & 0xFFF) << (12 if word & 0x40_0000 else 0)
    return -value if word & 0x4000_0000 else value


def _offset(word: int) -> int:
    """Of a load or store; 0 where it has none, or another register."""
    if word & 0x3B00_0000 == 0x3900_0000:  # unsigned immediate
        size = word >> 30
        if word & 0x0480_0000 == 0x0480_0000:  # 128 bits
            size = 4
        return (word >> 10 & 0xFFF) << size
    if word & 0x3B20_0C00 == 0x3800_0000:  # LDUR, STUR
        value = word >> 12 & 0x1FF
        return value - (value >> 8 << 9)
    if word & 0x3A00_0000 == 0x2800_0000:  # pairs
        value = word >> 15 & 0x7F
        size = (2 + (word >> 30)) if word & 0x0400_0000 else (3 if word >> 31 else 2)
        return (value - (value >> 6 << 7)) << size
    return 0


def _forget(known: dict[int, int], word: int) -> None:
    """The registers that a load may change, or an address that is written back."""
    known.pop(word & 31, None)
    if word & 0x3A00_0000 == 0x2800_0000:
        known.pop(word >> 10 & 31, None)
        if word & 0x0080_0000:
            known.pop(word >> 5 & 31, None)
    elif word & 0x3B20_0400 == 0x3800_0400:  # pre- and post-indexed
        known.pop(word >> 5 & 31, None)
