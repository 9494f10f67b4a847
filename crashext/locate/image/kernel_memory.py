# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a kernel's virtual memory through its own page tables."""

from __future__ import annotations

from ...arch.base import AddressSpace
from ..context import Context
from ..memory import PAGE_SIZE
from .image import Image


def variable(context: Context, image: Image, name: str) -> int | None:
    """The variable ``name`` of the image, as wide as a pointer; None if not known or not there."""
    vaddr = image.vaddr(name)
    return None if vaddr is None else context.memory.word(image.paddr(vaddr))


def variable64(context: Context, image: Image, name: str) -> int | None:
    """Likewise one that has 64 bits on every architecture."""
    vaddr = image.vaddr(name)
    return None if vaddr is None else context.memory.u64(image.paddr(vaddr))


def variable32(context: Context, image: Image, name: str) -> int | None:
    """Likewise one of 32 bits."""
    vaddr = image.vaddr(name)
    return None if vaddr is None else context.memory.u32(image.paddr(vaddr))


def own_tables(context: Context, image: Image) -> AddressSpace | None:
    """The address space of the image's own top-level table, where that maps the image."""
    check = image.checks.get(image.arch.top_tables[0])
    root = image.vaddr(*image.arch.top_tables)
    if check is None or not check.held or root is None or image.paging is None:
        return None
    return context.tables(image.paddr(root), image.paging)


def kernel_paddr(context: Context, image: Image, vaddr: int) -> int | None:
    """Physical address of any kernel address, direct map included; None if not mapped."""
    table = image.vaddr(*image.arch.top_tables)
    if table is None:
        return None
    for paging in image.arch.pagings if image.paging is None else (image.paging,):
        found = context.tables(image.paddr(table), paging).translate(vaddr)
        if found is not None:
            return found
    return None


def kernel_text(context: Context, image: Image, vaddr: int, limit: int) -> bytes:
    """The NUL-terminated text at ``vaddr``, as far as it can be read, ``limit`` bytes at most."""
    text = b""
    while len(text) < limit and b"\0" not in text:
        paddr = kernel_paddr(context, image, vaddr + len(text))
        if paddr is None:
            break
        part = context.memory.get(paddr, PAGE_SIZE - paddr % PAGE_SIZE)
        if part is None:
            break
        text += part
    return text.partition(b"\0")[0][:limit]
