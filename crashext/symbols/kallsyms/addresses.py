# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of kallsyms, in each of the ways in which kernels have stored them.

Before 4.6 addresses themselves, before num_syms; since then 32-bit offsets and a base, which
moved from before num_syms to behind token_index in 6.4. Up to 6.14 offsets may be negated ones
of what is no per-CPU variable (KALLSYMS_ABSOLUTE_PERCPU). Since 7.0 each is the distance from
its own place.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from .layout import Block, Layout, aligned
from .tables import Tables

#: kallsyms_relative_base is the lowest symbol; on some architectures one lies before the image.
_BELOW_TEXT = 64 << 20


class Addresses:
    """Each symbol's run-time address, worked out from its stored number when it is asked for."""

    def __init__(self, stored: array[int], meaning: Callable[[int, int], int]) -> None:
        self._stored, self._meaning = stored, meaning

    def __getitem__(self, index: int) -> int:
        return self._meaning(index, self._stored[index])

    def __iter__(self) -> Iterator[int]:
        return map(self._meaning, range(len(self._stored)), self._stored)


def addresses(
    block: Block, tables: Tables, starts: Sequence[int], layout: Layout, vaddr: int | None
) -> Iterator[Addresses]:
    """The run-time address of each symbol, by each arrangement of tables that can be.

    ``starts`` are the addresses that the image may start at, ``vaddr`` that of the block.
    """
    if tables.unit == layout.word:
        yield from _based(block, tables, starts, layout)
        yield from _absolute(block, tables, starts, layout)
    if tables.unit == 4 and vaddr is not None:
        yield from _place_relative(block, tables, layout, vaddr)


def _based(
    block: Block, tables: Tables, starts: Sequence[int], layout: Layout
) -> Iterator[Addresses]:
    word, count, end = layout.word, tables.count, tables.tokens.end
    room = aligned(count * 4, word)
    before = tables.names - 2 * word
    for base_at, offsets_at in ((before, before - room), (end + room, end)):
        if offsets_at < 0 or base_at + word > len(block):
            continue
        base = int.from_bytes(block[base_at : base_at + word], layout.byte_order)
        if not starts[0] - _BELOW_TEXT < base <= starts[-1]:
            continue
        offsets = layout.numbers("i", block[offsets_at : offsets_at + count * 4])
        if min(offsets) < 0:
            # KALLSYMS_ABSOLUTE_PERCPU: non-negative offsets are absolute values.
            yield Addresses(offsets, partial(_from_base_or_absolute, base))
        yield Addresses(offsets, partial(_from_base, base))


def _from_base_or_absolute(base: int, _: int, offset: int) -> int:
    return offset if offset >= 0 else base - 1 - offset


def _from_base(base: int, _: int, offset: int) -> int:
    return base + (offset & 0xFFFF_FFFF)


def _absolute(
    block: Block, tables: Tables, starts: Sequence[int], layout: Layout
) -> Iterator[Addresses]:
    end = tables.names - layout.word
    start = end - tables.count * layout.word
    if start >= 0:
        absolute = layout.words(block[start:end])
        if any(address in starts for address in absolute):
            yield Addresses(absolute, lambda _, address: address)


def _place_relative(
    block: Block, tables: Tables, layout: Layout, vaddr: int
) -> Iterator[Addresses]:
    start = tables.tokens.end
    raw = block[start : start + tables.count * 4]
    if len(raw) == tables.count * 4:
        first = vaddr + start
        yield Addresses(layout.numbers("i", raw), lambda index, offset: first + index * 4 + offset)
