# SPDX-License-Identifier: GPL-3.0-or-later
"""ppc64le: the constants of its address space, and how its kernels write a placement.

Linux maps all of RAM at PAGE_OFFSET and runs in that mapping: a kernel address is a
physical one with the top bits set, whatever the MMU and wherever the kernel was loaded
(arch/powerpc/include/asm/page.h, __pa). It lies at physical 0 but for a capture kernel,
which runs where it was loaded (arch/powerpc/kernel/head_64.S, __run_at_load).
"""

from __future__ import annotations

from ..base import MASK64, Paging

#: The start of the linear mapping, and what every image's voffset is.
PAGE_OFFSET = 0xC000_0000_0000_0000
#: The linear mapping ends where the kernel's own (vmalloc, io, vmemmap) begin
#: (book3s/64/hash-64k.h, radix-64k.h; the lowest is that of hash with 4 KiB pages).
_MAX_PADDR = 1 << 51
#: Images start at a page of any size that kernels have.
IMAGE_ALIGN = 64 << 10
#: Exception vectors, at fixed places with room between them, and what is aligned behind them
#: (arch/powerpc/kernel/exceptions-64s.S).
DENSE_TEXT = 1 << 20
#: The kernel's radix tree: 52 bits, with pages of 64 KiB or 4 KiB (radix-64k.h, radix-4k.h).
RADIX_64K, RADIX_4K = Paging(4, 52, 64 << 10), Paging(4, 52, 4 << 10)
#: With the hash MMU no tree translates: the hypervisor's hash table does, which is not in the
#: guest's memory. The kernel's own tree only says what it asks the hypervisor for.
HASH_64K, HASH_4K = Paging(0, 0, 64 << 10), Paging(0, 0, 4 << 10)
PAGINGS = (RADIX_64K, RADIX_4K, HASH_64K, HASH_4K)
#: The variable __pte_index_size, how many bits index a table of the smallest pages, by their
#: size: radix-64k.h, hash-64k.h; radix-4k.h and hash-4k.h.
PTE_INDEX_SIZES = {5: 64 << 10, 8: 64 << 10, 9: 4 << 10}


def is_image_vaddr(vaddr: int) -> bool:
    """True for the linear mapping."""
    return PAGE_OFFSET <= vaddr < PAGE_OFFSET + _MAX_PADDR


def is_kaslr_offset(value: int) -> bool:
    """True for how far an image may be from where it was linked: the kernel has no KASLR."""
    return value % IMAGE_ALIGN == 0 and 0 <= value < _MAX_PADDR


def stored_voffset(kernstart_addr: int, start: int) -> int:
    """The voffset of an image at physical ``start`` whose variable names that address."""
    return (PAGE_OFFSET + kernstart_addr - start) & MASK64
