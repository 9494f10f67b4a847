# SPDX-License-Identifier: GPL-3.0-or-later
"""s390x: the constants of its address space, and how its kernels write a placement.

Up to 6.9 the kernel runs in its identity mapping: a virtual address is a physical one, and
KASLR (5.2 and later) moves both. Since 6.10 the image has a mapping of its own at the top
of the address space, and KASLR moves virtual and physical address apart
(arch/s390/boot/startup.c, setup_kernel_memory_layout).
"""

from __future__ import annotations

from types import MappingProxyType

from ...vmcoreinfo import Vmcoreinfo
from ..base import MASK64, Paging, Resources

PAGE_SIZE = 4096
#: Tables by the type that an ASCE names, 0 to 3: a segment table alone, and below one, two
#: or three region tables (Principles of Operation, "Address-Space-Control Element").
PAGINGS = (Paging(2, 31), Paging(3, 42), Paging(4, 53), Paging(5, 64))
#: What a kernel's own tables have (arch/s390/boot/vmem.c): the smallest that spans RAM.
KERNEL_PAGINGS = PAGINGS[1:3]
#: The image starts at a multiple of THREAD_SIZE (arch/s390/boot/kaslr.c).
IMAGE_ALIGN = 16 << 10
#: Where vmlinux has ``_text``, and how far behind the image's start it is (asm/page.h).
TEXT_OFFSET = 1 << 20
#: The kernel's tables have four levels at the most (_REGION1_SIZE, asm/pgtable.h).
_MAX_VADDR = 1 << 53
#: /proc/iomem (arch/s390/kernel/setup.c).
IMAGE_RESOURCES: Resources = MappingProxyType(
    {
        "Kernel code": (("_text",), ("_etext",)),
        "Kernel data": (("_etext",), ("_edata",)),
        "Kernel bss": (("__bss_start",), ("__bss_stop",)),
    }
)


def is_image_vaddr(vaddr: int) -> bool:
    """True for all that a kernel's tables can translate."""
    return 0 <= vaddr < _MAX_VADDR


def is_voffset(voffset: int, ram_end: int) -> bool:
    """True for the identity, or an image above the RAM that it lies in."""
    return voffset % IMAGE_ALIGN == 0 and 0 <= voffset < _MAX_VADDR


def is_kaslr_offset(value: int) -> bool:
    """True when ``value`` can be what the kernel calls __kaslr_offset.

    Where the image has its own mapping it is never 0: all of the distance counts.
    """
    return value % IMAGE_ALIGN == 0 and 0 <= value < _MAX_VADDR


def said_voffset(info: Vmcoreinfo) -> int | None:
    """From KERNELOFFSET and KERNELOFFPHYS (6.10 and later); before that always the identity."""
    physical = info.integer("KERNELOFFPHYS")
    if physical is None:
        return 0
    return None if info.kernel_offset is None else (info.kernel_offset - physical) & MASK64


def stored_voffset(kaslr_offset: int, text_paddr: int) -> int:
    """The voffset of an image at ``text_paddr`` whose variable says that ``kaslr_offset``."""
    return (kaslr_offset + TEXT_OFFSET - text_paddr) & MASK64
