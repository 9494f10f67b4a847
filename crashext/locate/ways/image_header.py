# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding images by the header that boot loaders know them by, and having them place themselves.

A last way, for guests without a VMCOREINFO: some architectures' images start with a magic
number. Where the header has survived, the image tells the rest
(:mod:`crashext.locate.self_placed`). Copies that a boot loader left behind don't: they never ran.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...arch.base import Proposal
from ...dumps.base import Range
from ..context import Context
from ..likeness import filled, is_hollow, text_places
from ..memory import PAGE_SIZE
from ..self_placed import MOST, self_placed

SOURCE = "image-header"
#: Images looked into, and bytes of them: a guest can plant any number.
_MAX_IMAGES, _MAX_BYTES = 64, 512 << 20


def propose(context: Context) -> Iterator[Proposal]:
    """A proposal for each image with a header whose own tables bear it out."""
    room = _MAX_BYTES
    for seen, (start, whole) in enumerate(_headers(context)):
        size = min(whole, MOST)
        if seen >= _MAX_IMAGES or size > room:
            context.warn("more images with a header in memory than are looked into")
            context.bounded = True
            return
        room -= size
        starts = range(start, start + 1)
        proposal = self_placed(context, starts, Range(start, start + size), SOURCE)
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
