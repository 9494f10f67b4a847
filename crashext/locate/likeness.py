# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling the pages of a kernel from others: by comparison, or by what they hold at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import SystemRandom
from typing import NamedTuple

from ..arch.base import Evidence
from .context import Context
from .memory import PAGE_SIZE

#: Bytes of a page that must be the other's.
_ENOUGH_BYTES = PAGE_SIZE * 6 // 10
#: Pages that must have been seen for a verdict, and of those the right ones (of 4).
_FEWEST, _SAME_OF_4 = 6, 3
_DRAWN = 4
#: Different bytes in a page of code: 174 at least on real kernels. A page of zeros, of one
#: pattern or of text has fewer.
_DISTINCT_BYTES = 128
#: This much of an image is surely text, without padding, in any kernel.
TEXT_LEAST = 512 << 10


class Comparison(NamedTuple):
    """Pages that are as they should be, that are not, and that the dump lacks."""

    same: int
    different: int
    missing: int

    @property
    def held(self) -> bool | None:
        """The verdict; None where too few pages could be seen."""
        seen = self.same + self.different
        if seen < _FEWEST:
            return None
        return self.same * 4 >= seen * _SAME_OF_4

    def evidence(self, name: str, what: str) -> Evidence:
        """The verdict in words."""
        seen = self.same + self.different
        words = f"{self.same} of {seen} pages of text and read-only data {what}"
        if self.missing:
            words += f", {self.missing} not in the dump"
        return Evidence(name, words if seen else "no page of it is in the dump", self.held)


def compare(
    context: Context,
    wanted: Callable[[int], bytes | None],
    places: Iterable[tuple[int, int]],
) -> Comparison:
    """Compare what ``wanted`` gives for the first of each pair with memory at the second."""
    same = different = missing = 0
    for spot, paddr in places:
        right = wanted(spot)
        if right is None:
            continue
        page = context.memory.get(paddr, PAGE_SIZE)
        if page is None:
            missing += 1
        elif sum(a == b for a, b in zip(page, right, strict=True)) >= _ENOUGH_BYTES:
            same += 1
        else:
            different += 1
    return Comparison(same, different, missing)


def filled(context: Context, places: Iterable[int]) -> Comparison:
    """Whether the pages at ``places`` hold something, each something else."""
    seen: set[bytes] = set()
    same = different = missing = 0
    for paddr in places:
        page = context.memory.get(paddr, PAGE_SIZE)
        if page is None:
            missing += 1
        elif len(set(page)) >= _DISTINCT_BYTES and page not in seen:
            seen.add(page)
            same += 1
        else:
            different += 1
    return Comparison(same, different, missing)


def is_hollow(context: Context, text_paddr: int) -> bool:
    """True for a place that a kernel's text can't be at: nearly all of its pages hold nothing.

    Those that the dump lacks count as empty: whoever filters a dump keeps the kernel.
    """
    return all(
        _is_empty(context, SystemRandom().sample(pages, _DRAWN))
        for pages in _dense_pages(context, text_paddr)
    )


def _is_empty(context: Context, places: Sequence[int]) -> bool:
    found = filled(context, places)
    return found.different + found.missing >= len(places) - 1


def _dense_pages(context: Context, text_paddr: int) -> list[range]:
    """Pages of an image that starts at ``text_paddr``, one range of which is surely code."""
    starts = [text_paddr + lead for lead in context.arch.dense_text]
    return [range(start, start + TEXT_LEAST, PAGE_SIZE) for start in starts]


def _text_pages(context: Context, text_paddr: int) -> range:
    """The first range that is not empty, the last where all are."""
    *first, last = _dense_pages(context, text_paddr)
    for pages in first:
        if not _is_empty(context, list(fixed_pages(pages, _FEWEST))):
            return pages
    return last


def text_places(context: Context, text_paddr: int) -> list[int]:
    """Pages of the text that starts at ``text_paddr``: some always the same, some by lot."""
    pages = _text_pages(context, text_paddr)
    fixed = list(fixed_pages(pages, _FEWEST))
    others = [page for page in pages if page not in fixed]
    return [*fixed, *SystemRandom().sample(others, _DRAWN)]


def fixed_pages(pages: range, count: int) -> Iterator[int]:
    """``count`` of ``pages``, evenly spread, the first and the last left out."""
    for number in range(1, count + 1 if pages else 0):
        yield pages[number * len(pages) // (count + 1)]
