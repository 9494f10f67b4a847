# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding the kernel's own symbol table from its image in memory.

Written by scripts/kallsyms.c, read by kernel/kallsyms.c: names are compressed with a
table of 256 tokens. The tables lie in .rodata in one of three orders:

- before 6.4: offsets, relative_base, num_syms, names, markers, [seqs_of_names],
  token_table, token_index (and before 4.6 absolute addresses instead of the first two);
- since 6.4: num_syms, names, markers, token_table, token_index, offsets,
  relative_base, seqs_of_names;
- since 7.0 the same without relative_base.

:mod:`.tables` finds them, :mod:`.addresses` and :mod:`.names` read them. Which way addresses are
stored is told by ``_text`` or ``_stext``: one must come out where it may be.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from string import ascii_letters

from .addresses import addresses
from .layout import LITTLE64, Block, Layout
from .names import Symbol, Symbols, decompressed, select, symbols
from .tables import find_tables, likely_end

__all__ = ["LITTLE64", "Block", "Layout", "Symbol", "Symbols", "decode", "likely_end", "read_all"]

#: The image's first symbols, one of which is at its first byte.
_START = ("_text", "_stext", "_start")
#: As decompressed: nm's letter in front.
_START_NAMES = frozenset(f"{kind}{name}".encode() for name in _START for kind in ascii_letters)
_MASK = (1 << 64) - 1


def decode(
    block: Block,
    starts: int | Sequence[int],
    wanted: frozenset[str],
    layout: Layout = LITTLE64,
    vaddr: int | None = None,
) -> dict[str, int]:
    """Run-time addresses of the ``wanted`` symbols, from a copy of the image's .rodata.

    ``block`` starts at a word-aligned address, as all tables do; ``starts`` is the run-time
    address of ``_text``, or all, ascending, that it or ``_stext`` may have; ``vaddr`` is the
    block's own, without which kernels since 7.0 can't be read. Returns what was found; empty
    where the block holds no (or a damaged) kallsyms.
    """
    starts = (starts,) if isinstance(starts, int) else starts
    for tables in find_tables(block, layout):
        for values in addresses(block, tables, starts, layout, vaddr):
            found = select(block, tables, values, wanted.union(_START))
            if _fits(found, starts):
                return {name: value for name, value in found.items() if name in wanted}
    return {}


def read_all(
    block: Block, starts: int | Sequence[int], layout: Layout = LITTLE64, vaddr: int | None = None
) -> Symbols | None:
    """Every symbol of a kernel; arguments as in :func:`decode`. None where there are none."""
    starts = (starts,) if isinstance(starts, int) else starts
    for tables in find_tables(block, layout):
        names = decompressed(block, tables)
        if names is None:
            continue
        first = [index for index, name in enumerate(names) if name in _START_NAMES]
        for values in addresses(block, tables, starts, layout, vaddr):
            vaddrs = array("Q", (value & _MASK for value in values))
            if any(vaddrs[index] in starts for index in first):
                return symbols(names, vaddrs)
    return None


def _fits(found: dict[str, int], starts: Sequence[int]) -> bool:
    return any(name in found and found[name] in starts for name in _START)
