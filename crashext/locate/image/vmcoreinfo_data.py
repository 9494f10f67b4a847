# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMCOREINFO that an image's own symbols lead to."""

from __future__ import annotations

from ...vmcoreinfo import Vmcoreinfo
from ..context import Context
from ..ways.vmcoreinfo_memory import raw_text, read_text
from .image import Image
from .kernel_memory import kernel_paddr


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
    pointer = context.memory.word(image.paddr(vaddr))
    return kernel_paddr(context, image, pointer) if pointer else None


def text(context: Context, image: Image) -> bytes | None:
    """The kernel's own text, else one that page tables bear out; None where there is neither."""
    place = paddr(context, image)
    raw = None if place is None else raw_text(context, place)
    return image.info.text if raw is None and image.info is not None else raw


def info(context: Context, image: Image) -> Vmcoreinfo | None:
    """The text itself, parsed; None if there is none there."""
    place = paddr(context, image)
    return None if place is None else read_text(context, place)
