# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding images by the header that boot loaders know them by, and having them place themselves.

A last way, for guests without a VMCOREINFO: some architectures' images start with a magic
number. Where the header has survived, the image's own symbol table tells the run-time
address of its text, and its top-level page table, named there or recognised by what it
does, must map that address into the image. Copies that a boot loader left behind have no
such table: they never ran.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...arch.base import MASK64, Paging, Proposal
from ...symbols import kallsyms
from ..context import Context
from ..likeness import filled, is_hollow, text_places
from ..memory import PAGE_SIZE

SOURCE = "image-header"
#: Images looked into, and bytes of them: a guest can plant any number.
_MAX_IMAGES, _MAX_BYTES = 64, 512 << 20
#: What is read of one, and held at once: distributions' kernels are smaller, and their symbol
#: tables and page tables lie before .bss.
_MOST = 64 << 20
#: What an image's .text starts behind, at most.
_MAX_LEAD = 2 << 20
_TEXT = ("_text", "_stext")


def propose(context: Context) -> Iterator[Proposal]:
    """A proposal for each image with a header whose own tables bear it out."""
    room = _MAX_BYTES
    for seen, (start, whole) in enumerate(_headers(context)):
        size = min(whole, _MOST)
        if seen >= _MAX_IMAGES or size > room:
            context.warn("more images with a header in memory than are looked into")
            context.bounded = True
            return
        room -= size
        proposal = _self_placed(context, start, size)
        if proposal is None:
            context.unstarted.add(start)
        else:
            yield proposal


def _headers(context: Context) -> Iterator[tuple[int, int]]:
    """Physical address and size of each image with a sane header, and code behind it."""
    arch = context.arch
    if arch.image_magic is None:
        return

    def progress(fraction: float) -> None:
        context.progress("searching memory for kernel images", fraction)

    offset, magic = arch.image_magic
    for start in context.dump.places(arch.image_align, offset, magic, progress):
        head = context.memory.get(start, PAGE_SIZE)
        size = None if head is None else arch.image_size(head)
        if size is not None and _has_code(context, start):
            yield start, size


def _has_code(context: Context, start: int) -> bool:
    """True where a kernel's text may follow: a header is a line that any program can write."""
    if is_hollow(context, start):
        return False
    return filled(context, text_places(context, start)).held is not False


def _self_placed(context: Context, start: int, size: int) -> Proposal | None:
    """What the image at ``start`` says of itself, if its tables map it right there."""
    arch = context.arch
    block = context.memory.block(start, size)
    found = kallsyms.decode(
        block,
        range(1 << (arch.word * 8 - 1), 1 << (arch.word * 8), PAGE_SIZE),
        frozenset((*_TEXT, *arch.start_symbols, *arch.top_tables)),
        kallsyms.Layout(arch.byte_order, arch.word),
    )
    text = next((found[name] for name in reversed(_TEXT) if name in found), None)
    if text is None or not arch.is_image_vaddr(text):
        return None
    for root, paging in _roots(context, block, start, found):
        paddr = arch.tables(context.memory, root, paging, context.ram_end).translate(text)
        if paddr is None or not start <= paddr <= start + _MAX_LEAD:
            continue
        voffset = (text - paddr) & MASK64
        if context.plausible(voffset):
            detail = f"the image at {start:#x}; its table at {root:#x} maps {text:#x} to {paddr:#x}"
            vaddr = (start + voffset) & MASK64
            return Proposal(SOURCE, voffset, None, detail, text_vaddr=vaddr, paging=paging,
                            root=root)  # fmt: skip
    return None


def _roots(
    context: Context, block: bytearray, start: int, found: dict[str, int]
) -> Iterator[tuple[int, Paging]]:
    """Where its top-level table may be, and of what shape: as named, else any of its pages."""
    arch = context.arch
    named = next((found[name] for name in arch.top_tables if name in found), None)
    first = next((found[name] for name in arch.start_symbols if name in found), None)
    if named is not None and first is not None:
        pages: Iterator[int] = iter((start + named - first,))
    else:
        places = range(0, len(block), PAGE_SIZE)
        pages = (start + a for a in places if block.count(0, a, a + PAGE_SIZE) < PAGE_SIZE)
    for page in pages:
        for paging in arch.pagings:
            yield page, paging
