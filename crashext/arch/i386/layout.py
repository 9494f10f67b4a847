# SPDX-License-Identifier: GPL-3.0-or-later
"""i386: the constants of its address space.

The image lies in the direct map: an address less PAGE_OFFSET is its physical address
(arch/x86/include/asm/page_32.h). A kernel that was loaded elsewhere than where it was
linked to run has all its addresses moved as far (CONFIG_RELOCATABLE, RANDOMIZE_BASE).
"""

from __future__ import annotations

from ..base import Paging

PAGE_SIZE = 4096
#: CONFIG_PAGE_OFFSET by CONFIG_VMSPLIT (arch/x86/Kconfig), commonest first.
PAGE_OFFSETS = (0xC000_0000, 0x8000_0000, 0x4000_0000, 0xB000_0000, 0x7800_0000)
#: The default of CONFIG_PHYSICAL_ALIGN, of which distributions take multiples.
IMAGE_ALIGN = 2 << 20
#: KERNEL_IMAGE_SIZE (page_32_types.h): what KASLR places the image in.
WINDOW = 512 << 20
#: The direct map holds at least this much of RAM, unless vmalloc= asks for more than 384 MiB.
LOW_MEMORY = 512 << 20
PAE, NO_PAE = Paging(3, 32), Paging(2, 32)


def is_image_vaddr(vaddr: int) -> bool:
    """True when ``vaddr`` lies in the window that kernel images are mapped in."""
    return any(start <= vaddr < start + WINDOW for start in PAGE_OFFSETS)


def is_kaslr_offset(value: int) -> bool:
    """True when the image can have been moved by ``value``."""
    return value % IMAGE_ALIGN == 0 and 0 <= value < WINDOW


def page_offset_of(vaddr: int) -> int | None:
    """The commonest PAGE_OFFSET that an image at ``vaddr`` can be mapped with."""
    return next((start for start in PAGE_OFFSETS if start <= vaddr < start + WINDOW), None)
