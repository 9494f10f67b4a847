# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of an image: is all of a kernel there, or only the few pages a search looks at?

Who forges an image without owning the kernel has to lay out its body too: megabytes of
text and read-only data, in one piece. With a vmlinux pages of both are compared with the
file's own; without one they must at least be filled, each with something else. A running
kernel has patched its text (alternatives, static keys, ftrace, return thunks) and moved
its pointers, but most bytes of nearly every page stay: on real guests 99 % of the pages
keep more than 80 % of their bytes.

Half of the places compared are always the same, half are drawn anew each time: a forger
can't know which pages will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import SystemRandom

from ...arch.base import Evidence
from ...symbols.vmlinux import Vmlinux
from ..context import Context
from ..likeness import Comparison, compare, filled, fixed_pages, text_places
from ..memory import PAGE_SIZE
from .image import Image

NAME = "image_body"
#: Pages of text, of read-only data, and of text drawn by lot. Where vCPUs vouch for the
#: kernel that runs, half of them will do for one that they don't vouch for.
_TEXT, _RODATA, _DRAWN, _FEW_DRAWN = 8, 4, 8, 2


def check(context: Context, image: Image) -> Evidence:
    """Compare with the vmlinux if the image is of its build, else look at the image alone.

    One made from memory would be compared with itself.
    """
    vmlinux = context.vmlinux
    if vmlinux is not None and image.can_be_compared:
        found = of_build(context, vmlinux, image.paddr, image.kaslr_offset or 0)
        return found.evidence(NAME, "are the vmlinux's")
    places = [] if image.text_paddr is None else text_places(context, image.text_paddr)
    return filled(context, places).evidence(NAME, "are filled as a kernel's are")


def of_build(
    context: Context, vmlinux: Vmlinux, paddr_of: Callable[[int], int], kaslr_offset: int
) -> Comparison:
    """Compare an image's pages with the vmlinux's; ``paddr_of`` takes run-time addresses.

    One comparison of a place serves all who ask.
    """
    spots = tuple(_spots(vmlinux, few=context.tables_told))
    place = paddr_of(spots[0] + kaslr_offset) if spots else 0
    if place not in context.bodies:
        context.bodies[place] = compare(
            context,
            partial(vmlinux.read, size=PAGE_SIZE),
            ((linked, paddr_of(linked + kaslr_offset)) for linked in spots),
        )
    found: Comparison = context.bodies[place]
    return found


def like_twin(context: Context, image: Image, distance: int) -> Comparison:
    """Compare the pages ``distance`` further on in physical memory with those of ``image``."""
    spots = [] if image.text_paddr is None else text_places(context, image.text_paddr)
    return compare(
        context,
        lambda paddr: context.memory.get(paddr, PAGE_SIZE),
        ((paddr, paddr + distance) for paddr in spots),
    )


def fixed_spots(vmlinux: Vmlinux) -> list[int]:
    """Linked addresses of the pages that are compared each time."""
    text = fixed_pages(_pages(vmlinux, "_stext", "_etext"), _TEXT)
    rodata = fixed_pages(_pages(vmlinux, "__start_rodata", "__end_rodata"), _RODATA)
    return [*text, *rodata]


def _spots(vmlinux: Vmlinux, *, few: bool) -> Iterator[int]:
    """Linked addresses of the pages to compare."""
    yield from fixed_spots(vmlinux)[:: 2 if few else 1]
    text, chance = _pages(vmlinux, "_stext", "_etext"), SystemRandom()
    drawn = _FEW_DRAWN if few else _DRAWN
    yield from (text[chance.randrange(len(text))] for _ in range(drawn) if text)


def _pages(vmlinux: Vmlinux, first: str, last: str) -> range:
    """The whole pages between two symbols."""
    start, end = vmlinux.symbol(first), vmlinux.symbol(last)
    if start is None or end is None:
        return range(0)
    return range(start & -PAGE_SIZE, end - PAGE_SIZE, PAGE_SIZE)
