# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that tells where it was mapped: by its own symbol table and its own page tables.

kallsyms tell the run-time address of the text, or, since 7.0, where in the image each symbol
is; the top-level table, named there or recognised among the image's pages by what it does,
must map the text, or what a vCPU executes, into the image. A copy that never ran has no such
table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ..arch.base import MASK64, Paging, Proposal
from ..dumps.base import Range
from ..symbols import kallsyms
from .context import Context
from .memory import PAGE_SIZE

MOST = 64 << 20
"""Bytes of an image to read: distributions' kernels are smaller, and their symbol tables and
page tables lie before .bss."""

#: What an image's .text starts behind, at most.
_MAX_LEAD = 2 << 20
_TEXT = ("_stext", "_text")
#: Program counters that are tried: those of vCPUs that idle are the same.
_MOST_PCS = 4


class _Names(NamedTuple):
    """Addresses of some symbols: of run time, or physical."""

    found: dict[str, int]
    physical: bool

    def first(self, *names: str) -> int | None:
        """The address of the first that is known."""
        return next((self.found[name] for name in names if name in self.found), None)


def self_placed(context: Context, starts: range, window: Range, source: str) -> Proposal | None:
    """What the image that starts at one of ``starts`` says of itself, if its tables map it there.

    ``window`` is the part of it that is read, all of it or its read-only data: :data:`MOST`.
    """
    arch, start = context.arch, starts.start
    block = context.memory.block(window.start, window.size)
    names = _names(context, block, starts, window.start)
    text = names.first(*_TEXT)
    if text is None or not (names.physical or arch.is_image_vaddr(text)):
        return None
    for root, paging in _roots(context, block, starts, names, window.start):
        space = arch.tables(context.memory, root, paging, context.ram_end)
        for vaddr in _executed(context) if names.physical else (text,):
            paddr = space.translate(vaddr)
            if paddr is None or not start <= paddr < window.end:
                continue
            voffset = (vaddr - paddr) & MASK64
            text_paddr = text if names.physical else paddr
            mapped = space.translate((text_paddr + voffset) & MASK64) == text_paddr
            if mapped and text_paddr <= starts[-1] + _MAX_LEAD and context.plausible(voffset):
                place = _place(context, starts, names, text_paddr - text)
                detail = (
                    f"the image at {place:#x}; its table at {root:#x} maps {vaddr:#x} to {paddr:#x}"
                )
                return Proposal(source, voffset, None, detail, paging=paging, root=root,
                                text_vaddr=(place + voffset) & MASK64)  # fmt: skip
    return None


def _names(context: Context, block: bytearray, starts: range, begin: int) -> _Names:
    """Its symbols; a kernel since 7.0 has but their distances from its table."""
    arch = context.arch
    wanted = frozenset((*_TEXT, *arch.start_symbols, *arch.top_tables))
    layout = kallsyms.Layout(arch.byte_order, arch.word)
    upper_half = range(1 << (arch.word * 8 - 1), 1 << (arch.word * 8), PAGE_SIZE)
    if found := kallsyms.decode(block, upper_half, wanted, layout):
        return _Names(found, physical=False)
    there = range(starts.start & -PAGE_SIZE, starts[-1] + _MAX_LEAD, PAGE_SIZE)
    return _Names(kallsyms.decode(block, there, wanted, layout, begin), physical=True)


def _roots(
    context: Context, block: bytearray, starts: range, names: _Names, begin: int
) -> Iterator[tuple[int, Paging]]:
    """Where its top-level table may be, and of what shape: as named, else any of its pages."""
    named, first = names.first(*context.arch.top_tables), names.first(*context.arch.start_symbols)
    if named is not None and names.physical:
        pages: Iterator[int] = iter((named,))
    elif named is not None and first is not None:
        pages = (start + named - first for start in starts)
    else:
        places = range(0, len(block), PAGE_SIZE)
        pages = (begin + a for a in places if block.count(0, a, a + PAGE_SIZE) < PAGE_SIZE)
    for page in pages:
        for paging in context.arch.pagings:
            yield page, paging


def _executed(context: Context) -> list[int]:
    """Kernel addresses that vCPUs execute."""
    pcs = dict.fromkeys(c.pc for c in context.cpus if context.arch.is_image_vaddr(c.pc))
    return list(islice(pcs, _MOST_PCS))


def _place(context: Context, starts: range, names: _Names, distance: int) -> int:
    """Where the image starts physically; ``distance`` is from its symbols' addresses to there."""
    if len(starts) == 1:
        return starts.start  # its header is the first byte, which no symbol may have
    first, lead = names.first(*context.arch.start_symbols[:1]), 0
    if first is None:  # without CONFIG_KALLSYMS_ALL it has what lies behind _stext
        first, lead = names.first(*_TEXT), context.arch.dense_text[0]
    return context.image_start((0 if first is None else first) + distance - lead)
