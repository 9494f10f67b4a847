# SPDX-License-Identifier: GPL-3.0-or-later
"""The search itself: ways tried cheapest first, each proposal examined, until it is certain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..symbols.runtime import KnownSymbols
from . import (
    from_banner,
    from_elfcorehdr,
    from_idt,
    from_page_tables,
    from_vmcoreinfo_memory,
    from_vmcoreinfo_note,
)
from .candidate import Candidate
from .choose import confidence
from .context import Context
from .encrypted import looks_encrypted
from .examine import banner_stands, examine, own_kaslr_offset
from .image import Image, fitting, sort_in
from .verify import verify

Way = Callable[[Context], Iterator[Candidate]]

#: A handful of page reads each, whatever the guest's size.
CHEAP: tuple[Way, ...] = (
    from_vmcoreinfo_note.propose,
    from_page_tables.propose,
    from_idt.propose,
)
#: These look at all of RAM.
FULL: tuple[Way, ...] = (from_banner.propose, from_vmcoreinfo_memory.propose)
#: Images examined: a guest can forge more, at the price of its own memory.
_MAX_IMAGES = 32


def search(context: Context, *, everything: bool = False) -> list[Image]:
    """Every image found, examined. Full searches run only where the cheap ways don't settle it.

    ``everything`` searches all of RAM in any case.
    """
    images: list[Image] = []
    _add(context, images, [c for way in CHEAP for c in way(context)])
    _follow_captures(context, images)
    for way in FULL:
        if settled(images) and not everything:
            break
        _add(context, images, way(context))
    if everything or not settled(images):
        _find_twins(context, images)
    _follow_captures(context, images)
    if not images and looks_encrypted(context):
        context.warn("memory looks encrypted (SEV, TDX?): nothing can be read from this dump")
    return images


def settled(images: list[Image]) -> bool:
    """True when a vCPU lives in an image that is certain: nothing in RAM can change that.

    Of a capture kernel it is wanted to know as well which kernel crashed before it.
    """
    live = [i for i in images if i.cpus and confidence(i) == "certain"]
    return bool(live) and all(
        any(j.captured_by is i and confidence(j) == "certain" for j in images)
        for i in live
        if i.is_capture
    )


def _follow_captures(context: Context, images: list[Image]) -> None:
    """Find the kernels that crashed before the capture kernels among ``images``."""
    for image in list(images):
        if image.is_capture or from_elfcorehdr.header_paddr(context, image) is None:
            continue
        image.is_capture = True
        for found in _add(context, images, from_elfcorehdr.propose(context, image)):
            if found is not image:
                found.captured_by = image


def _find_twins(context: Context, images: list[Image]) -> None:
    """Find images of the builds met that nothing else led to; the vmlinux's were probed for."""
    for image in list(images):
        if image.matches_vmlinux or not isinstance(image.symbols, KnownSymbols):
            continue
        for candidate in from_banner.twins(context, image):
            if fitting(images, candidate) is None and len(images) < _MAX_IMAGES:
                twin = sort_in(candidate, images)
                twin.symbols = image.symbols.moved((twin.text_vaddr or 0) - (image.text_vaddr or 0))
                twin.matches_vmlinux = image.matches_vmlinux
                verify(context, twin)


def _add(context: Context, images: list[Image], candidates: Iterable[Candidate]) -> list[Image]:
    """Sort candidates into images, examine the new ones; returns all images concerned."""
    fresh: list[Image] = []
    concerned: list[Image] = []
    for candidate in sorted(candidates, key=_is_bare_claim):
        if _is_bare_claim(candidate) and not _worth_following(context, images, candidate):
            context.rejected.append(candidate)
            continue
        if len(images) >= _MAX_IMAGES and fitting(images, candidate) is None:
            context.warn(f"more than {_MAX_IMAGES} kernel images in memory; the rest is left out")
            continue
        image = sort_in(candidate, images)
        if image not in concerned:
            concerned.append(image)
        # A text brings the few symbols that an image without any was short of.
        if image not in fresh and (not image.checks or (candidate.info and not image.has_symbols)):
            fresh.append(image)
        elif candidate.info and image.kaslr_offset is None:
            image.kaslr_offset = own_kaslr_offset(context, image)
    for image in fresh:
        examine(context, image)
    return concerned


def _is_bare_claim(candidate: Candidate) -> bool:
    """True for a text that no page tables bear out."""
    return candidate.info is not None and candidate.text_vaddr is None


def _worth_following(context: Context, images: list[Image], candidate: Candidate) -> bool:
    """A bare claim counts if an image found otherwise agrees, or the vmlinux's banner is there."""
    return fitting(images, candidate) is not None or banner_stands(context, candidate)
