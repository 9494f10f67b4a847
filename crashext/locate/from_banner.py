# SPDX-License-Identifier: GPL-3.0-or-later
"""Probing RAM for the vmlinux's own banner, at every place the kernel may lie.

The kernel's image starts at a multiple of 2 MiB (CONFIG_PHYSICAL_ALIGN's least value),
so its banner can only be at one offset in each 2 MiB of RAM. Where the whole text
stands, the kernel's own phys_base variable tells physical from virtual displacement.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..arch.x86_64 import PMD_SIZE, START_KERNEL_MAP
from ..text import signed64
from .candidate import Candidate, is_kaslr_offset, is_phys_base
from .context import Context

SOURCE = "banner"


def propose(context: Context) -> Iterator[Candidate]:
    """A candidate for every complete image of the vmlinux's kernel in RAM."""
    vmlinux = context.vmlinux
    if vmlinux is None:
        return
    banner, text = vmlinux.banner, vmlinux.first("_text", "_stext")
    banner_vaddr, variable = vmlinux.symbol("linux_banner"), vmlinux.symbol("phys_base")
    if banner is None or text is None or banner_vaddr is None or variable is None:
        return
    base = text & ~(PMD_SIZE - 1)
    for start in _banner_places(context, banner, banner_vaddr - base):
        value = context.memory.u64(start + variable - base)
        if value is None:
            continue
        phys_base = signed64(value)
        offset = start - (base - START_KERNEL_MAP) - phys_base
        if is_phys_base(phys_base, context.ram_end) and is_kaslr_offset(offset):
            yield Candidate(
                SOURCE,
                phys_base,
                offset,
                f"the whole banner at {start + banner_vaddr - base:#x}",
                text_vaddr=base + offset,
            )


def _banner_places(context: Context, banner: bytes, distance: int) -> Iterator[int]:
    """Physical image starts with the banner (and its NUL) at ``distance`` from them."""
    wanted = banner + b"\0"
    for stored in context.dump.stored:
        first = -(-(stored.start - distance) // PMD_SIZE) * PMD_SIZE
        for start in range(max(first, 0), stored.end - distance, PMD_SIZE):
            if start % (64 * PMD_SIZE) == 0:
                context.progress("probing for the banner", start / context.ram_end)
            if context.memory.get(start + distance, len(wanted)) == wanted:
                yield start
