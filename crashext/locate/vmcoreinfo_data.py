# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMCOREINFO that an image's own symbols lead to."""

from __future__ import annotations

from ..vmcoreinfo import Vmcoreinfo
from .claim import TOP_TABLES
from .context import Context
from .from_vmcoreinfo_memory import read_text
from .image import Image


def paddr(context: Context, image: Image) -> int | None:
    """Physical address of the text behind ``vmcoreinfo_data``; None if not known or not set.

    Since 4.13 the symbol is a pointer into the direct map, which the kernel's own page
    tables translate; before, it was the array itself (kernel/kexec.c).
    """
    vaddr = image.vaddr("vmcoreinfo_data")
    if vaddr is None:
        return None
    if read_text(context, image.paddr(vaddr)) is not None:
        return image.paddr(vaddr)
    pointer = context.memory.u64(image.paddr(vaddr))
    table = image.vaddr(*TOP_TABLES)
    if not pointer or table is None:
        return None
    for levels in (4, 5) if image.levels is None else (image.levels,):
        found = context.tables(image.paddr(table), levels).translate(pointer)
        if found is not None:
            return found
    return None


def info(context: Context, image: Image) -> Vmcoreinfo | None:
    """The text itself, parsed; None if there is none there."""
    place = paddr(context, image)
    return None if place is None else read_text(context, place)
