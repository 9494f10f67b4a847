# SPDX-License-Identifier: GPL-3.0-or-later
"""The search itself: ways tried cheapest first, each proposal examined, until it is certain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import (
    from_banner,
    from_idt,
    from_page_tables,
    from_vmcoreinfo_memory,
    from_vmcoreinfo_note,
)
from .candidate import Candidate
from .choose import confidence
from .context import Context
from .examine import examine
from .image import Image, group

Way = Callable[[Context], Iterator[Candidate]]

#: A handful of page reads each, whatever the guest's size.
CHEAP: tuple[Way, ...] = (
    from_vmcoreinfo_note.propose,
    from_page_tables.propose,
    from_idt.propose,
)
#: These look at all of RAM.
FULL: tuple[Way, ...] = (from_banner.propose, from_vmcoreinfo_memory.propose)


def search(context: Context, *, everything: bool = False) -> list[Image]:
    """Every image found, examined. Full searches run only where the cheap ways don't settle it.

    ``everything`` searches all of RAM in any case.
    """
    candidates = [c for way in CHEAP for c in way(context)]
    images = _examined(context, candidates)
    for way in FULL:
        if settled(images) and not everything:
            break
        candidates += way(context)
        images = _examined(context, candidates)
    return images


def settled(images: list[Image]) -> bool:
    """True when a vCPU lives in an image that is certain: nothing in RAM can change that."""
    return any(image.cpus and confidence(image) == "certain" for image in images)


def _examined(context: Context, candidates: list[Candidate]) -> list[Image]:
    images = group(candidates)
    for image in images:
        examine(context, image)
    return images
