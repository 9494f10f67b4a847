# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding the kernel's own symbol table from its image in memory.

Written by scripts/kallsyms.c, read by kernel/kallsyms.c: names are compressed with a
table of 256 tokens. The tables lie in .rodata in one of two orders:

- before 6.4: offsets, relative_base, num_syms, names, markers, [seqs_of_names],
  token_table, token_index (and before 4.6 absolute addresses instead of the first two);
- since 6.4: num_syms, names, markers, token_table, token_index, offsets,
  relative_base, seqs_of_names.

Each table is aligned to a word of the architecture; relative_base (and the absolute
addresses) are words, everything else has the same width everywhere. num_syms takes a
word: before 4.20 as one number, since then as 32 bits with padding behind them.

Nothing says where they are, so they are recognised by their own constraints: the token
table holds the digits in a row, the index must agree with it, the names must fill
exactly the room that their count and lengths say, the base is the image's start or near
it, and ``_text`` or ``_stext`` must come out where they may be.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..dumps.base import ByteOrder

_DIGITS = b"\0".join(bytes([c]) for c in b"0123456789") + b"\0"
_INDEX_SIZE = 512
_MAX_SYMBOLS = 1 << 22
_MIN_SYMBOLS = 1000
_MAX_NAME = 512  # KSYM_NAME_LEN, of names in full; a token of it takes one byte
_MAX_TOKEN = 128
_TYPES = frozenset(b"AaBbCcDdGgIiNnpRrSsTtUuVvWw?")
# A guest can forge any number of places that look like tables: what is tried is limited, to
# what takes well under a second. The largest kernels have names of a few MiB.
_MAX_TABLES, _MAX_TRIES = 4, 64  # token tables, and places that might be one
_REACH = 16 << 20  # bytes before a token table in which its names are
_MAX_WALKED = 1 << 21  # names
#: kallsyms_relative_base is the lowest symbol; on some architectures one lies before the image.
_BELOW_TEXT = 64 << 20
#: The image's first symbols, one of which is at its first byte.
_START = ("_text", "_stext", "_start")


#: A copy of memory; a bytearray where joining its pages would hold it twice.
Block = bytes | bytearray


@dataclass(frozen=True, slots=True)
class Layout:
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

    def aligned(self, at: int) -> int:
        """The next place that a table can start at."""
        return at + self.word - 1 & -self.word

    def count(self, value: int) -> int:
        """The number of symbols in the word that num_syms takes, padding behind it or not."""
        padded = self.byte_order == "big" and self.word == 8 and not value & 0xFFFF_FFFF
        return value >> 32 if padded else value


LITTLE64 = Layout()


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The 256 tokens and where table and index lie in the block.

    ``types`` are the codes that a name can start with.
    """

    text: tuple[bytes, ...]
    start: int
    end: int
    types: frozenset[int]


def decode(
    block: Block, starts: int | Sequence[int], wanted: frozenset[str], layout: Layout = LITTLE64
) -> dict[str, int]:
    """Run-time addresses of the ``wanted`` symbols, from a copy of the image's .rodata.

    ``block`` starts at a word-aligned address, as all tables do; ``starts`` is the run-time
    address of ``_text``, or all, ascending, that it or ``_stext`` may have. Returns what
    was found; empty where the block holds no (or a damaged) kallsyms.
    """
    walked = 0
    starts = (starts,) if isinstance(starts, int) else starts
    for tokens in _token_tables(block, layout):
        for count_at, count in _counts(block, tokens, layout):
            if walked + count > _MAX_WALKED:
                continue
            names_at = count_at + layout.word
            fit, tried = _names_fit(block, names_at, count, tokens)
            walked += tried
            if not fit:
                continue
            for addresses in _addresses(block, tokens, (count_at, count), starts, layout):
                found = _select(block, names_at, tokens, addresses, wanted.union(_START))
                if any(name in found and found[name] in starts for name in _START):
                    return {name: value for name, value in found.items() if name in wanted}
    return {}


def _token_tables(block: Block, layout: Layout) -> Iterator[_Tokens]:
    found = 0
    at = block.find(_DIGITS)
    for _ in range(_MAX_TRIES):
        tokens = _tokens_around(block, at, layout) if at >= 0 else None
        if tokens is not None:
            yield tokens
            found += 1
        if at < 0 or found == _MAX_TABLES:
            return
        at = block.find(_DIGITS, at + 1)


def _tokens_around(block: Block, digits: int, layout: Layout) -> _Tokens | None:
    """The token table in which the digits' tokens stand at ``digits``."""
    end = digits
    for _ in range(256 - ord("0")):
        end = block.find(b"\0", end, end + 128) + 1
        if not end:
            return None
    index_at = layout.aligned(end)
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
    return _Tokens(text, start, index_at + _INDEX_SIZE, types)


def _counts(block: Block, tokens: _Tokens, layout: Layout) -> Iterator[tuple[int, int]]:
    """Places before the token table where num_syms may stand, and that number."""
    end = tokens.start & -layout.word
    first = max(end - _REACH, 0)
    for index, value in enumerate(layout.words(block[first:end])):
        count = layout.count(value)
        if not _MIN_SYMBOLS <= count < _MAX_SYMBOLS:
            continue
        at = first + index * layout.word
        # A symbol takes at least 3 bytes of names, and rarely more than 64.
        if count * 3 <= tokens.start - at <= count * 64:
            yield at, count


def _length(block: Block, at: int) -> tuple[int, int]:
    """Length of the compressed name at ``at`` and where it starts (ULEB128 since 6.1)."""
    length = block[at]
    if length & 0x80:
        return (length & 0x7F) | block[at + 1] << 7, at + 2
    return length, at + 1


def _names_fit(block: Block, at: int, count: int, tokens: _Tokens) -> tuple[bool, int]:
    """Whether ``count`` names lie between ``at`` and the token table; how many were tried."""
    limit, types = tokens.start, tokens.types
    for number in range(count):
        length = block[at]
        if length & 0x80:
            length, at = _length(block, at)
        else:
            at += 1
        if not 0 < length <= _MAX_NAME or at + length > limit or block[at] not in types:
            return False, number + 1
        at += length
    return True, count


def _addresses(
    block: Block, tokens: _Tokens, counted: tuple[int, int], starts: Sequence[int], layout: Layout
) -> Iterator[Iterable[int]]:
    """The run-time address of each symbol, by each arrangement of tables that can be."""
    (count_at, count), word = counted, layout.word
    room = layout.aligned(count * 4)
    base_before, base_after = count_at - word, tokens.end + room
    for base_at, offsets_at in ((base_before, base_before - room), (base_after, tokens.end)):
        if offsets_at < 0 or base_at + word > len(block):
            continue
        base = int.from_bytes(block[base_at : base_at + word], layout.byte_order)
        if not starts[0] - _BELOW_TEXT < base <= starts[-1]:
            continue
        offsets = layout.numbers("i", block[offsets_at : offsets_at + count * 4])
        if min(offsets) < 0:
            # KALLSYMS_ABSOLUTE_PERCPU: non-negative offsets are absolute values.
            yield (o if o >= 0 else base - 1 - o for o in offsets)
        yield (base + (o & 0xFFFF_FFFF) for o in offsets)
    absolute_at = count_at - count * word
    if absolute_at >= 0:
        absolute = layout.words(block[absolute_at:count_at])
        if any(address in starts for address in absolute):
            yield absolute


def _select(
    block: Block, at: int, tokens: _Tokens, addresses: Iterable[int], wanted: frozenset[str]
) -> dict[str, int]:
    """The addresses of the wanted names, which start at ``at``; the first of a name wins.

    Decompressing 100 000 names takes 0.2 s. Nearly all are ruled out by their first and
    last token alone: a type letter with the beginning of a wanted name, and an end of one.
    """
    found: dict[str, int] = {}
    keys = {name.encode(): name for name in wanted}
    firsts, lasts = _ends(tokens.text, keys)
    for address in addresses:
        length, start = _length(block, at)
        at = start + length
        if block[at - 1] not in lasts or block[start] not in firsts:
            continue
        name = b"".join([tokens.text[c] for c in block[start:at]])[1:]
        if name in keys:
            found.setdefault(keys[name], address)
    return found


def _ends(text: tuple[bytes, ...], names: Iterable[bytes]) -> tuple[set[int], set[int]]:
    """Codes of tokens that a wanted name, its type letter in front, can start and end with."""
    firsts = {c for c, t in enumerate(text) if t and any(n.startswith(t[1:]) for n in names)}
    lasts = {c for c, t in enumerate(text) if t and any(_ends_with(n, t) for n in names)}
    return firsts, lasts


def _ends_with(name: bytes, token: bytes) -> bool:
    """Whether ``token`` is an end of the name, or all of it with a type letter in front."""
    return name.endswith(token) or name == token[1:]
