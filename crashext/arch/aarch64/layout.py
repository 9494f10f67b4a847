# SPDX-License-Identifier: GPL-3.0-or-later
"""arm64: the constants of its address space, and how its kernels write a placement."""

from __future__ import annotations

import re
from types import MappingProxyType

from ...text import signed64
from ...vmcoreinfo import Vmcoreinfo
from ..base import MASK64, Paging, Resources

#: Image starts: UEFI's stub moves the image to multiples of EFI_KIMG_ALIGN
#: (arch/arm64/include/asm/efi.h), the boot protocol asks for 2 MiB
#: (Documentation/arch/arm64/booting.rst), and what lies below one is part of the KASLR offset.
IMAGE_ALIGN = 64 << 10
#: Of the header that an image starts with.
IMAGE_MAGIC = b"ARM\x64"
#: ``mrs Xn, sp_el0``: how a kernel finds its current task (arch/arm64/include/asm/current.h).
#: It is undefined where programs run (Arm ARM, SP_EL0).
READS_CURRENT = re.compile(rb"[\0-\x1f]\x41\x38\xd5", re.DOTALL)
#: What is before .text since 5.11: the header and code of early boot (SEGMENT_ALIGN,
#: kernel/vmlinux.lds.S). It is not reserved, so any other memory may lie there once it runs.
HEAD_SIZE = 64 << 10
_LINK_ALIGN = 2 << 20
#: TEXT_OFFSET, where kernels before 5.8 start in their first 2 MiB.
_OLD_TEXT_OFFSET = 0x80000
#: Addresses that TTBR1 can translate, of any kernel.
KERNEL_VADDR = MASK64 ^ ((1 << 52) - 1)
#: KIMAGE_VADDR and the random offset lie in the upper half of what VA_BITS allow.
_MAX_KASLR_OFFSET = 1 << 51
#: arch/arm64/include/asm/memory.h: STRUCT_PAGE_MAX_SHIFT, what VMEMMAP_SIZE reckons with.
STRUCT_PAGE_SIZE = 64
#: /proc/iomem (setup.c, request_standard_resources); where the code starts differs by version. The
#: data start where what is freed ends (vmlinux.lds.S).
IMAGE_RESOURCES: Resources = MappingProxyType(
    {
        "Kernel code": ((), ("__init_begin",)),
        "Kernel data": (("_sdata", "_data", "__init_end"), ("_end",)),
    }
)


def _paging(va_bits: int, page_size: int) -> Paging:
    shift = page_size.bit_length() - 1
    return Paging(-(-(va_bits - shift) // (shift - 3)), va_bits, page_size)


#: A kernel that is built for 52 bits with pages of 64 KiB, on a CPU that has 48: that CPU is
#: given the end of the table (TTBR1_BADDR_4852_OFFSET, asm/pgtable-hwdef.h).
_AS_IF_52 = _paging(48, 64 << 10)._replace(skipped=(1 << 10) - (1 << 6))
#: CONFIG_ARM64_VA_BITS with 4, 64 and 16 KiB pages (arch/arm64/Kconfig), commonest first.
PAGINGS = (
    *(_paging(bits, 4 << 10) for bits in (48, 39, 52)),
    *(_paging(bits, 64 << 10) for bits in (48, 42)),
    *(_AS_IF_52, _paging(52, 64 << 10)),
    *(_paging(bits, 16 << 10) for bits in (48, 47, 36, 52)),
)


def is_voffset(voffset: int, ram_end: int) -> bool:
    """True when an image in RAM that ends at ``ram_end`` gets kernel addresses by it."""
    return voffset % IMAGE_ALIGN == 0 and KERNEL_VADDR - ram_end < voffset <= MASK64


def is_kaslr_offset(value: int) -> bool:
    """True when ``value`` can be a KASLR offset (arch/arm64/kernel/kaslr.c, pi/kaslr_early.c)."""
    return value % IMAGE_ALIGN == 0 and 0 <= value < _MAX_KASLR_OFFSET


def text_vaddr(info: Vmcoreinfo) -> int | None:
    """``_text`` of the kernel whose VMCOREINFO names ``_stext``.

    It is linked to a multiple of 2 MiB, before 5.8 TEXT_OFFSET further on; the image
    header between the two takes 64 KiB since 5.11, less before (kernel/vmlinux.lds.S).
    """
    stext, offset = info.symbol("_stext"), info.kernel_offset
    if stext is None:
        return None
    linked = stext - (offset or 0)
    start = linked & -_LINK_ALIGN
    if linked - start >= _OLD_TEXT_OFFSET and offset is not None:
        start += _OLD_TEXT_OFFSET
    return (start + (offset or 0)) & MASK64


def said_pagings(info: Vmcoreinfo) -> tuple[Paging, ...]:
    """The shapes of page tables that a VMCOREINFO leaves open, likeliest first.

    TCR_EL1_T1SZ (5.11 and later; some spell it in lower case) tells how many bits the CPU
    translates, VA_BITS how many the kernel was built for.
    """
    size, built = info.pagesize, info.number("VA_BITS")
    t1sz = info.number("TCR_EL1_T1SZ") or info.number("tcr_el1_t1sz")
    actual = built if t1sz is None else 64 - t1sz
    fitting = [p for p in PAGINGS if size in (None, p.page_size)]
    return tuple(sorted(fitting, key=lambda p: (p.va_bits != actual, p.va_bits != built)))


def page_offsets(va_bits: int | None, paging: Paging | None) -> tuple[int, ...]:
    """PAGE_OFFSET of a kernel built for ``va_bits``, or of those that ``paging`` allows.

    A kernel built for 52 bits keeps it where the CPU has but 48 (asm/memory.h).
    """
    likely = [va_bits, None if paging is None else paging.va_bits, 52]
    return tuple(dict.fromkeys(-(1 << bits) & MASK64 for bits in likely if bits))


def linear_base(page_offset: int, memstart: int) -> int:
    """The virtual address of physical address 0: ``__phys_to_virt`` of asm/memory.h."""
    return (page_offset - memstart) & MASK64


def built_bits(memstart: int, va_bits: int) -> int:
    """The bits that a kernel was built for, which runs with ``va_bits``, by its memstart_addr.

    Built for 52 it takes what they are more from it; KASLR alone takes less than half of the
    linear map (arch/arm64/mm/init.c, arm64_memblock_init).
    """
    return 52 if signed64(memstart) < -((1 << 52) - (1 << va_bits) >> 1) else va_bits


def phys_offset_of(va_bits: int, memstart: int) -> int:
    """What crash has to add to linear addresses of so many bits (crash arm64.c, arm64_VTOP).

    The kernel reckons memstart_addr by the PAGE_OFFSET that it is built for
    (arch/arm64/mm/init.c, arm64_memblock_init), and writes that as PHYS_OFFSET.
    """
    return (memstart - (1 << va_bits) + (1 << built_bits(memstart, va_bits))) & MASK64


def vmemmap_starts(va_bits: int, paging: Paging) -> tuple[int, ...]:
    """VMEMMAP_START where no VMCOREINFO tells: of 6.9 and later, of 5.11, of 5.4.

    asm/memory.h. It has room for the linear map, and ends 1 GiB below the top since 6.9, 2 MiB
    below it before 5.11; in between it starts where one for all addresses would.
    """
    shift = paging.page_size.bit_length() - 1 - (STRUCT_PAGE_SIZE.bit_length() - 1)
    linear = (1 << va_bits) - (1 << (min(va_bits, 48) - 1))
    size = linear >> shift
    starts = (-(1 << 30) - size, -(1 << (va_bits - shift)), -(2 << 20) - size)
    return tuple(start & MASK64 for start in starts)


def memory_map_base(vmemmap: int, memstart: int, paging: Paging) -> int:
    """The struct page of page frame 0: ``vmemmap`` of asm/pgtable.h, memstart_addr signed."""
    return (vmemmap - signed64(memstart) // paging.page_size * STRUCT_PAGE_SIZE) & MASK64
