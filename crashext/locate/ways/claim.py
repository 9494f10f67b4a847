# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VMCOREINFO text claims, tested against the page tables that it names.

Anyone in the guest can write such a text. A true one names the kernel's top-level
table (SYMBOL(swapper_pg_dir)); at the physical address that its own placement gives,
a table must lie that maps the image right there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...arch.base import MASK64, Proposal
from ...text import printable
from ...vmcoreinfo import Vmcoreinfo
from ..context import Context
from ..likeness import is_hollow
from .page_tables import image_runs, is_whole

#: An honest guest has no more claims than this; where there are more, each is looked at first.
_FEW = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """Where page tables map the image that a text describes."""

    text_vaddr: int
    levels: int
    root: int


def claimed(context: Context, info: Vmcoreinfo, source: str, where: str) -> Proposal | None:
    """What ``info`` proposes; None where its numbers can't be true.

    Where the tables bear the claim out, ``text_vaddr`` and ``levels`` come from them.
    """
    voffset, offset = context.arch.said_voffset(info), info.kernel_offset
    if voffset is None or not context.plausible(voffset):
        return None
    if offset is not None and not context.arch.is_kaslr_offset(offset):
        return None
    measured = measure(context, info.symbols, voffset)
    release = printable(info.osrelease or "unknown release")
    borne_out = "its page tables bear it out" if measured else "no page tables bear it out"
    return Proposal(
        source,
        voffset,
        offset,
        f"VMCOREINFO ({where}) of {release}; {borne_out}",
        text_vaddr=measured.text_vaddr if measured else None,
        levels=measured.levels if measured else None,
        info=info,
    )


def measure(context: Context, symbols: Mapping[str, int], voffset: int) -> Measured | None:
    """Where the table that ``symbols`` name maps the image, if it does so at ``voffset``."""
    arch = context.arch
    vaddr = next((symbols[name] for name in arch.top_tables if name in symbols), None)
    stext = symbols.get("_stext")
    if vaddr is None or stext is None or not arch.is_image_vaddr(vaddr):
        return None
    if vaddr % arch.page_size:
        return None
    root = (vaddr - voffset) & MASK64
    for levels in arch.levels:
        if context.tables(root, levels).translate(stext) != (stext - voffset) & MASK64:
            continue
        start = context.image_start(stext)
        context.claims += 1
        if context.claims > _FEW and is_hollow(context, (start - voffset) & MASK64):
            return None  # before anything dearer: such a table takes but a page to forge
        mapped = context.image_runs(root, levels)
        runs = image_runs(context, mapped)
        if runs and runs[0].voffset == voffset and runs[0].vaddr == start:
            return Measured(start, levels, root) if is_whole(mapped, runs) else None
    return None
