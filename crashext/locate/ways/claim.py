# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VMCOREINFO text claims, tested against the page tables that it names.

Anyone in the guest can write such a text. A true one names the kernel's top-level
table (SYMBOL(swapper_pg_dir)); at the physical address that its own placement gives,
a table must lie that maps the image right there.
"""

from __future__ import annotations

from typing import NamedTuple

from ...arch.base import MASK64, Paging, Proposal
from ...text import printable
from ...vmcoreinfo import Vmcoreinfo
from ..context import Context
from ..likeness import is_hollow
from ..memory import PAGE_SIZE
from .page_tables import image_runs, is_whole

#: An honest guest has no more claims than this; where there are more, each is looked at first.
_FEW = 4


class Measured(NamedTuple):
    """Where page tables map the image that a text describes."""

    text_vaddr: int
    paging: Paging
    root: int


def claimed(context: Context, info: Vmcoreinfo, source: str, paddr: int | None) -> Proposal | None:
    """What ``info``, found at ``paddr`` or in the file's note, proposes; None where it can't be.

    Where the tables bear the claim out, ``text_vaddr`` and ``paging`` come from them.
    """
    voffset, offset = context.arch.said_voffset(info), info.kernel_offset
    if voffset is None or not context.plausible(voffset):
        return None
    if offset is not None and not context.arch.is_kaslr_offset(offset):
        return None
    measured = measure(context, info, voffset)
    where = "note" if paddr is None else f"at {paddr:#x}"
    release = printable(info.osrelease or "unknown release")
    borne_out = "its page tables bear it out" if measured else "no page tables bear it out"
    return Proposal(
        source,
        voffset,
        offset,
        f"VMCOREINFO ({where}) of {release}; {borne_out}",
        text_vaddr=measured.text_vaddr if measured else None,
        paging=measured.paging if measured else None,
        info=info,
        root=measured.root if measured else None,
        info_paddr=paddr,
    )


def measure(context: Context, info: Vmcoreinfo, voffset: int) -> Measured | None:
    """Where the table that ``info`` names maps the image, if it does so at ``voffset``."""
    arch = context.arch
    names = (name for name in arch.top_tables if name in info.symbols)
    vaddr, stext = info.symbol(next(names, "")), info.symbol("_stext")
    start = arch.said_text(info)
    if vaddr is None or stext is None or start is None or not arch.is_image_vaddr(vaddr):
        return None
    if vaddr % PAGE_SIZE:
        return None
    root = (vaddr - voffset) & MASK64
    for paging in (p for p in arch.pagings if info.pagesize in (None, p.page_size)):
        if context.tables(root, paging).translate(stext) != (stext - voffset) & MASK64:
            continue
        context.claims += 1
        if context.claims > _FEW and is_hollow(context, (start - voffset) & MASK64):
            return None  # before anything dearer: such a table takes but a page to forge
        mapped = context.image_runs(root, paging, stext)
        runs = image_runs(context, mapped)
        # What lies before _stext need not be mapped.
        if runs and runs[0].voffset == voffset and start <= runs[0].vaddr <= stext:
            return Measured(start, paging, root) if is_whole(mapped, runs) else None
    return None
