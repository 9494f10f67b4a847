# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VMCOREINFO text claims, tested against the page tables that it names.

Anyone in the guest can write such a text. A true one names the kernel's top-level
table (SYMBOL(swapper_pg_dir)); at the physical address that its own phys_base gives,
a table must lie that maps the image right there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..arch.x86_64 import PMD_SIZE, image_paddr, is_image_vaddr
from ..text import printable
from ..vmcoreinfo import Vmcoreinfo
from .candidate import Candidate, is_kaslr_offset, is_phys_base
from .context import Context
from .from_page_tables import image_runs

#: init_top_pgt since 4.13, init_level4_pgt before; VMCOREINFO calls it swapper_pg_dir.
TOP_TABLES = ("init_top_pgt", "init_level4_pgt", "swapper_pg_dir")


@dataclass(frozen=True, slots=True)
class Measured:
    """Where page tables map the image that a text describes."""

    text_vaddr: int
    levels: int
    root: int


def claimed(context: Context, info: Vmcoreinfo, source: str, where: str) -> Candidate | None:
    """The candidate that ``info`` claims; None where its numbers can't be true.

    NUMBER(phys_base) is decimal and signed (kernel 4.10 and later), KERNELOFFSET hex.
    Where the tables bear the claim out, ``text_vaddr`` and ``levels`` come from them.
    """
    phys_base, offset = info.phys_base, info.kernel_offset
    if phys_base is None or not is_phys_base(phys_base, context.ram_end):
        return None
    if offset is not None and not is_kaslr_offset(offset):
        return None
    measured = measure(context, info.symbols, phys_base)
    release = printable(info.osrelease or "unknown release")
    borne_out = "its page tables bear it out" if measured else "no page tables bear it out"
    return Candidate(
        source,
        phys_base,
        offset,
        f"VMCOREINFO ({where}) of {release}; {borne_out}",
        text_vaddr=measured.text_vaddr if measured else None,
        levels=measured.levels if measured else None,
        info=info,
    )


def measure(context: Context, symbols: Mapping[str, int], phys_base: int) -> Measured | None:
    """Where the table that ``symbols`` name maps the image, if it does so at ``phys_base``."""
    vaddr = next((symbols[name] for name in TOP_TABLES if name in symbols), None)
    stext = symbols.get("_stext")
    if vaddr is None or stext is None or not is_image_vaddr(vaddr) or vaddr % 4096:
        return None
    root = image_paddr(vaddr, phys_base)
    for levels in (4, 5):
        if context.tables(root, levels).translate(stext) != image_paddr(stext, phys_base):
            continue
        runs = image_runs(context.image_mappings(root, levels), context.ram_end)
        if runs and runs[0].phys_base == phys_base and runs[0].vaddr == stext & ~(PMD_SIZE - 1):
            return Measured(runs[0].vaddr, levels, root)
    return None
