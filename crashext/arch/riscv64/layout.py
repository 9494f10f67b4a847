# SPDX-License-Identifier: GPL-3.0-or-later
"""riscv64: the constants of its address space, and how its kernels write a placement."""

from __future__ import annotations

import re
import struct
from types import MappingProxyType
from typing import NamedTuple

from ...text import signed64
from ..base import MASK64, Paging, Resources

#: The image starts at a multiple of PMD_SIZE, physically and virtually: setup_vm refuses to
#: boot otherwise (arch/riscv/mm/init.c).
IMAGE_ALIGN = 2 << 20
#: Of the header that an image starts with.
IMAGE_MAGIC = b"RSC\x05"
#: ``csrrs``, ``csrrc`` and their immediate forms on sstatus: local_irq_save() and its kin
#: (arch/riscv/include/asm/irqflags.h). Programs may not (Privileged Architecture, 2.1).
MASKS_INTERRUPTS = re.compile(rb"[\x73\xf3][\x20-\x3f\x60-\x7f\xa0-\xbf\xe0-\xff][\0-\x0f]\x10")
#: KERNEL_LINK_ADDR since 5.13 (arch/riscv/include/asm/pgtable.h): the last 2 GiB.
KERNEL_LINK_ADDR = 0xFFFF_FFFF_8000_0000
#: KASLR (6.6 and later) stays inside the one PUD that early tables have (setup_vm).
WINDOW = 1 << 30
#: Sv57, Sv48, Sv39 by what satp's mode field has for them (Privileged Architecture, 12.1.11).
SATP_MODES = {10: Paging(5, 57), 9: Paging(4, 48), 8: Paging(3, 39)}
#: struct page in distributions, with which the place of all reckons, and in small kernels.
STRUCT_PAGE_SIZES = (64, 56)
_STRUCT_PAGE_SHIFT = 6  # STRUCT_PAGE_MAX_SHIFT
#: /proc/iomem (arch/riscv/kernel/setup.c) since 5.12.
IMAGE_RESOURCES: Resources = MappingProxyType(
    {
        "Kernel code": (("_text",), ("_etext",)),
        "Kernel rodata": (("__start_rodata",), ("__end_rodata",)),
        "Kernel data": (("_data",), ("_edata",)),
        "Kernel bss": (("__bss_start",), ("__bss_stop",)),
    }
)


def is_image_vaddr(vaddr: int) -> bool:
    """True when ``vaddr`` lies in the window that kernel images are mapped in."""
    return KERNEL_LINK_ADDR <= vaddr < KERNEL_LINK_ADDR + WINDOW


def is_voffset(voffset: int, ram_end: int) -> bool:
    """True when an image in RAM that ends at ``ram_end`` gets addresses of the window by it."""
    linked = signed64(KERNEL_LINK_ADDR - voffset)
    return voffset % IMAGE_ALIGN == 0 and -WINDOW < linked < ram_end


def is_kaslr_offset(value: int) -> bool:
    """True when ``value`` can be virt_offset: steps of PMD_SIZE inside the window."""
    return value % IMAGE_ALIGN == 0 and 0 <= value < WINDOW


class KernelMap(NamedTuple):
    """The kernel's ``kernel_map``, ``struct kernel_mapping`` of asm/page.h.

    ``page_offset`` is None for a kernel before 5.17, where it was a constant; ``va_pa_offset``
    is 0 until the kernel knows its RAM (setup_bootmem).
    """

    virt_addr: int
    phys_addr: int
    va_pa_offset: int
    page_offset: int | None

    @property
    def voffset(self) -> int:
        """``va_kernel_pa_offset``."""
        return (self.virt_addr - self.phys_addr) & MASK64


KERNEL_MAP_SIZE = 56
#: Places of virt_addr, phys_addr, va_pa_offset, va_kernel_pa_offset, page_offset among its words:
#: in 7.2 (by its BTF), with virt_offset (6.6), with page_offset (5.17), before.
_MEMBERS = ((0, 2, 4, 6, 5), (1, 3, 5, 6, 0), (1, 2, 4, 5, 0), (0, 1, 3, 4, None))


def kernel_map(data: bytes) -> KernelMap | None:
    """The struct in ``data``, in whichever of its forms makes sense; None where none does.

    setup_vm fills it before address translation is on.
    """
    words = struct.unpack("<7Q", data)
    for virt, phys, linear, kernel, offset in _MEMBERS:
        page_offset = None if offset is None else words[offset]
        found = KernelMap(words[virt], words[phys], words[linear], page_offset)
        if is_image_vaddr(found.virt_addr) and words[kernel] == found.voffset:
            return found
    return None


def vmemmap_start(page_offset: int, va_bits: int) -> int:
    """VMEMMAP_START: below the vmalloc area, which ends where the direct map starts.

    asm/pgtable.h; the direct map takes a quarter of the address space, vmalloc half of that.
    """
    vmalloc = 1 << (va_bits - 3)
    return (page_offset - vmalloc - (1 << (va_bits - 12 - 1 + _STRUCT_PAGE_SHIFT))) & MASK64


def regions(page_offset: int, va_bits: int) -> dict[str, int]:
    """What VMCOREINFO calls the parts of the address space (asm/pgtable.h, asm/page.h)."""
    vmalloc = (page_offset - (1 << (va_bits - 3))) & MASK64
    return {
        "PAGE_OFFSET": page_offset,
        "VMALLOC_START": vmalloc,
        "VMALLOC_END": page_offset - 1,  # since 6.1 a byte more
        "VMEMMAP_START": vmemmap_start(page_offset, va_bits),
        "VMEMMAP_END": vmalloc,
        "KERNEL_LINK_ADDR": KERNEL_LINK_ADDR,
    }


def module_region(start: int | None, end: int | None) -> dict[str, int]:
    """MODULES_VADDR and MODULES_END: below the image from ``start`` to ``end``."""
    if start is None or end is None:
        return {}
    return {"MODULES_VADDR": (-(-end // 4096) * 4096 - (2 << 30)) & MASK64, "MODULES_END": start}


def memory_map_bases(vmemmap: int, first_frame: int) -> tuple[int, ...]:
    """Where the struct page of frame 0 would be, ``vmemmap`` of asm/pgtable.h, by its size."""
    return tuple((vmemmap - first_frame * size) & MASK64 for size in STRUCT_PAGE_SIZES)
