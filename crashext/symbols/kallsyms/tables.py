# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tables of kallsyms lie in a copy of an image's .rodata.

Nothing says so, hence they are recognised by their own constraints: the token table holds the
digits in a row, the index must agree with it, and the names must fill exactly the room that
their count and lengths say. Each table is aligned to a word before 7.0, to 32 bits since.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import NamedTuple

from .layout import Block, Layout, aligned

_DIGITS = b"\0".join(bytes([c]) for c in b"0123456789") + b"\0"
_INDEX_SIZE = 512
_MAX_SYMBOLS = 1 << 22
_MIN_SYMBOLS = 1000
MOST_NAME = 512  # KSYM_NAME_LEN, of names in full; a token of it takes one byte
_MAX_TOKEN = 128
_TYPES = frozenset(b"AaBbCcDdGgIiNnpRrSsTtUuVvWw?")
# A guest can forge any number of places that look like tables: what is tried is limited, to
# what takes well under a second. The largest kernels have names of a few MiB.
_MAX_TABLES, _MAX_TRIES = 4, 64  # token tables, and places that might be one
_REACH = 16 << 20  # bytes before a token table in which its names are
_MAX_WALKED = 1 << 21  # names
_BEHIND = 2 << 20  # bytes behind a token table: 7 for each symbol since 6.4


class Tokens(NamedTuple):
    """The 256 tokens, and where table and index lie in the block.

    ``types`` are the codes that a name can start with.
    """

    text: tuple[bytes, ...]
    start: int
    end: int
    types: frozenset[int]


@dataclass(frozen=True, slots=True)
class Tables:
    """The symbols, whose compressed names start at ``names`` in the block.

    ``ends`` is where each name ends; the next one's length stands there. ``unit`` is what the
    tables are aligned to: num_syms lies one before the names.
    """

    tokens: Tokens
    names: int
    ends: array[int]
    unit: int

    @property
    def count(self) -> int:
        """How many symbols there are."""
        return len(self.ends)


def find_tables(block: Block, layout: Layout) -> Iterator[Tables]:
    """The tables in a block that starts at a word-aligned address; few, likely ones first."""
    walked = 0
    for unit in dict.fromkeys((layout.word, 4)):
        for tokens in _token_tables(block, layout, unit):
            for names, count in _counts(block, tokens, layout, unit):
                if walked + count > _MAX_WALKED:
                    continue
                ends = _names(block, names, count, tokens)
                walked += len(ends) + 1
                if len(ends) == count:
                    yield Tables(tokens, names, ends, unit)


def likely_end(block: Block, seen: int) -> int | None:
    """Where the tables end whose token table is in ``block``, but not in its ``seen`` first bytes.

    None where there is no such; for all but kernels of a few hundred thousand symbols.
    """
    digits = block.find(_DIGITS, max(seen - len(_DIGITS), 0))
    return None if digits < 0 else digits + _BEHIND


def _token_tables(block: Block, layout: Layout, unit: int) -> Iterator[Tokens]:
    found = 0
    at = block.find(_DIGITS)
    for _ in range(_MAX_TRIES):
        tokens = _tokens_around(block, at, layout, unit) if at >= 0 else None
        if tokens is not None:
            yield tokens
            found += 1
        if at < 0 or found == _MAX_TABLES:
            return
        at = block.find(_DIGITS, at + 1)


def _tokens_around(block: Block, digits: int, layout: Layout, unit: int) -> Tokens | None:
    """The token table in which the digits' tokens stand at ``digits``."""
    end = digits
    for _ in range(256 - ord("0")):
        end = block.find(b"\0", end, end + 128) + 1
        if not end:
            return None
    index_at = aligned(end, unit)
    raw = block[index_at : index_at + _INDEX_SIZE]
    if len(raw) < _INDEX_SIZE:
        return None
    index = layout.numbers("H", raw)
    start = digits - index[ord("0")]
    if index[0] != 0 or start < 0 or any(a >= b for a, b in pairwise(index)):
        return None
    texts = (bytes(block[start + a : start + a + _MAX_TOKEN]) for a in index)
    text = tuple(token.partition(b"\0")[0] for token in texts)
    types = frozenset(code for code, token in enumerate(text) if token and token[0] in _TYPES)
    return Tokens(text, start, index_at + _INDEX_SIZE, types)


def _counts(block: Block, tokens: Tokens, layout: Layout, unit: int) -> Iterator[tuple[int, int]]:
    """Places before the token table where names may start behind num_syms, and that number.

    num_syms takes a word before 7.0: as one number before 4.20, then as 32 bits and padding.
    """
    end = tokens.start & -unit
    first = max(end - _REACH, 0)
    values = layout.numbers("I" if unit == 4 else "Q", block[first:end])
    padded = layout.byte_order == "big" and unit == 8
    if padded:
        values = array("Q", (v if v & 0xFFFF_FFFF else v >> 32 for v in values))
    for index in _below_24_bits(values):
        count = values[index]
        if not _MIN_SYMBOLS <= count < _MAX_SYMBOLS:
            continue
        names = first + (index + 1) * unit
        # A symbol takes at least 3 bytes of names, and rarely more than 64.
        if count * 3 <= tokens.start - names + unit <= count * 64:
            yield names, count


def _below_24_bits(values: array[int]) -> Iterator[int]:
    """The indexes of the small ones, three times as fast as a look at each of a million."""
    raw, size = values.tobytes(), values.itemsize
    upper = range(3, size) if sys.byteorder == "little" else range(size - 3)
    high = reduce(or_, (int.from_bytes(raw[byte::size], "little") for byte in upper), 0)
    return (zero.start() for zero in re.finditer(b"\0", high.to_bytes(len(values), "little")))


def length_at(block: Block, at: int) -> tuple[int, int]:
    """Length of the compressed name at ``at`` and where it starts (ULEB128 since 6.1)."""
    length = block[at]
    if length & 0x80:
        return (length & 0x7F) | block[at + 1] << 7, at + 2
    return length, at + 1


def _names(block: Block, at: int, count: int, tokens: Tokens) -> array[int]:
    """Where the names from ``at`` end: fewer than ``count`` where they are none.

    They lie before the token table, and each starts with a type.
    """
    limit, types = tokens.start, tokens.types
    ends = array("I")
    append = ends.append
    for _ in range(count):
        length = block[at]
        if length & 0x80:
            length, at = length_at(block, at)
        else:
            at += 1
        if not 0 < length <= MOST_NAME or at + length > limit or block[at] not in types:
            break
        at += length
        append(at)
    return ends
