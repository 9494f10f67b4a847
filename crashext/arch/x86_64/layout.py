# SPDX-License-Identifier: GPL-3.0-or-later
"""x86_64: the constants of its address space, and how its kernels write a placement."""

from __future__ import annotations

from types import MappingProxyType

from ...text import signed64
from ..base import MASK64, Paging, Resources

PAGE_SIZE = 4096
#: Intel SDM vol. 3, 4.5: without and with LA57.
FOUR_LEVELS, FIVE_LEVELS = Paging(4, 48), Paging(5, 57)
PMD_SIZE = 2 << 20
#: In 7.2 the entry code comes first, with what fills its large page up behind it (the user's
#: page tables map it: ALIGN_ENTRY_TEXT_END, vmlinux.lds.S); in 6.12 it lies in between.
DENSE_TEXT = (0, PMD_SIZE)

#: Where the kernel image is mapped: VA = PA - phys_base + START_KERNEL_MAP
#: (arch/x86/include/asm/page_64_types.h, __START_KERNEL_map).
START_KERNEL_MAP = 0xFFFF_FFFF_8000_0000
#: The largest window the image may be placed in: KERNEL_IMAGE_SIZE is 1 GiB with
#: RANDOMIZE_BASE, 512 MiB without (page_64_types.h); the page tables tell which.
KERNEL_IMAGE_MAX = 1 << 30
#: phys_base is a multiple of this: __startup_64 refuses to boot otherwise (head64.c).
PHYS_BASE_ALIGN = PMD_SIZE
#: MAXPHYADDR of the architecture; no page frame lies above.
MAX_PADDR = 1 << 52
#: PAGE_OFFSET of kernels since 4.20, of older ones, and both with 5-level tables, where
#: KASLR does not move it (Documentation/arch/x86/x86_64/mm.rst).
PAGE_OFFSETS = (
    0xFFFF_8880_0000_0000, 0xFFFF_8800_0000_0000, 0xFF11_0000_0000_0000, 0xFF10_0000_0000_0000,
)  # fmt: skip
#: VMEMMAP_START with 4 and 5 levels, likewise.
VMEMMAPS = (0xFFFF_EA00_0000_0000, 0xFFD4_0000_0000_0000)
#: /proc/iomem (arch/x86/kernel/setup.c) since 5.5.
IMAGE_RESOURCES: Resources = MappingProxyType(
    {
        "Kernel code": (("_text",), ("_etext",)),
        "Kernel rodata": (("__start_rodata",), ("__end_rodata",)),
        "Kernel data": (("_sdata",), ("_edata",)),
        "Kernel bss": (("__bss_start",), ("__bss_stop",)),
    }
)


def is_image_vaddr(vaddr: int) -> bool:
    """True when ``vaddr`` lies in the window the kernel image is mapped in."""
    return START_KERNEL_MAP <= vaddr < START_KERNEL_MAP + KERNEL_IMAGE_MAX


def phys_base_of(voffset: int) -> int:
    """``phys_base`` (signed) of an image at ``voffset``: VA - PA = START_KERNEL_MAP - phys_base."""
    return signed64(START_KERNEL_MAP - voffset)


def voffset_of(phys_base: int) -> int:
    """``voffset`` of an image with ``phys_base``."""
    return (START_KERNEL_MAP - phys_base) & MASK64


def is_phys_base(value: int, ram_end: int) -> bool:
    """True when ``value`` can be a phys_base in a guest whose RAM ends at ``ram_end``.

    It is a multiple of 2 MiB; the image it places starts inside RAM, so it can be
    negative by less than the 1 GiB image window.
    """
    return value % PHYS_BASE_ALIGN == 0 and -KERNEL_IMAGE_MAX < value < ram_end


def is_kaslr_offset(value: int) -> bool:
    """True when ``value`` can be a KASLR offset: 2 MiB steps inside the image window.

    arch/x86/boot/compressed/kaslr.c, find_random_virt_addr.
    """
    return value % PMD_SIZE == 0 and 0 <= value < KERNEL_IMAGE_MAX
