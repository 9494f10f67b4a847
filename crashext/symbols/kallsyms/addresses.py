# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of kallsyms, in each of the ways in which kernels have stored them.

Before 4.6 addresses themselves, before num_syms; since then 32-bit offsets and a base, which
moved from before num_syms to behind token_index in 6.4. Up to 6.14 offsets may be negated ones
of what is no per-CPU variable (KALLSYMS_ABSOLUTE_PERCPU). Since 7.0 each is the distance from
its own place.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from .layout import Block, Layout, aligned
from .tables import Tables

#: kallsyms_relative_base is the lowest symbol; on some architectures one lies before the image.
_BELOW_TEXT = 64 << 20


def addresses(
    block: Block, tables: Tables, starts: Sequence[int], layout: Layout, vaddr: int | None
) -> Iterator[Iterable[int]]:
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
) -> Iterator[Iterable[int]]:
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
            yield (o if o >= 0 else base - 1 - o for o in offsets)
        yield (base + (o & 0xFFFF_FFFF) for o in offsets)


def _absolute(
    block: Block, tables: Tables, starts: Sequence[int], layout: Layout
) -> Iterator[array[int]]:
    end = tables.names - layout.word
    start = end - tables.count * layout.word
    if start >= 0:
        absolute = layout.words(block[start:end])
        if any(address in starts for address in absolute):
            yield absolute


def _place_relative(
    block: Block, tables: Tables, layout: Layout, vaddr: int
) -> Iterator[Iterable[int]]:
    start = tables.tokens.end
    raw = block[start : start + tables.count * 4]
    if len(raw) == tables.count * 4:
        first = vaddr + start
        yield (first + index * 4 + offset for index, offset in enumerate(layout.numbers("i", raw)))
