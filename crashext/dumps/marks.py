# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for bytes at known places of all pages, on all cores.

System reads and inflation release the interpreter's lock, so threads are enough: on two
cores a scan takes a little over half the time of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Mark = tuple[int, bytes]
Item = TypeVar("Item")
Found = TypeVar("Found")

_workers = min(os.cpu_count() or 1, 4)
#: Pieces of work for each of them that are handed out before the first result is taken.
_AHEAD = 4


def use_threads(count: int) -> None:
    """Say on how many cores this process may spread its work; with 1 it starts no thread."""
    global _workers  # noqa: PLW0603 - one program, one number of cores
    _workers = count


def pattern(marks: Sequence[Mark]) -> re.Pattern[bytes]:
    """What matches the start of a page that holds one of ``marks``."""
    ways = (b".{%d}" % offset + re.escape(wanted) for offset, wanted in marks)
    return re.compile(b"|".join(ways), re.DOTALL)


def in_chunk(chunk: bytes, step: int, marks: Sequence[Mark]) -> list[int]:
    """Offsets of the pages of ``step`` bytes in ``chunk`` that hold one of ``marks``.

    The first byte of each mark is looked at in all pages at once, as one strided copy.
    """
    found: set[int] = set()
    for offset, wanted in marks:
        column = chunk[offset::step]
        index = column.find(wanted[:1])
        while index >= 0:
            if chunk.startswith(wanted, index * step + offset):
                found.add(index * step)
            index = column.find(wanted[:1], index + 1)
    return sorted(found)


def spread(work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """``map(work, items)`` on all cores; results in order, few pieces ahead."""
    if _workers == 1:
        yield from map(work, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(_workers) as pool:
        ahead = [pool.submit(work, item) for item in islice(items, _AHEAD * _workers)]
        try:
            while ahead:
                yield ahead.pop(0).result()
                ahead += [pool.submit(work, item) for item in islice(items, 1)]
        finally:
            for future in ahead:
                future.cancel()
