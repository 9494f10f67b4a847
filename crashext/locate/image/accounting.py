# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a kernel account for the rest of memory?

A kernel that ran maps all RAM at one place of its address space, the direct map, and
keeps a struct page for each page of it (Documentation/mm/memory-model.rst). For its own
image these say "reserved, used once, on no list". A program can copy an image; to copy
this it needs a sixty-fourth of RAM besides, page by page in the right order. A capture
kernel accounts only for the memory that was set aside for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...arch.base import MASK64, AddressSpace, Evidence
from ..context import Context
from ..likeness import fixed_pages
from ..memory import PAGE_SIZE
from .image import Image
from .kernel_memory import own_tables

DIRECT_MAP, MEMORY_MAP = "direct_map", "memory_map"
_PLACES, _OWN_PAGES, _OTHER_PAGES, _FEWEST = 10, 6, 6, 3
#: include/linux/mm_types.h, by the width of a pointer: where lru is behind flags, and _mapcount
#: with _refcount behind it, since 4.18 and before; and its size in distributions and small kernels.
_LRU_AND_COUNTS = {8: ((8, 48), (32, 24)), 4: ((4, 24), (20, 12))}
_STRUCT_PAGE_SIZES = {8: (64, 56), 4: (32, 40)}


def checks(context: Context, image: Image) -> Iterator[Evidence]:
    """Both checks of an image whose top-level table maps it.

    Of one that can be compared with its vmlinux the first will do.
    """
    tables = own_tables(context, image)
    if tables is None:
        yield Evidence(DIRECT_MAP, "no page tables of its own")
        return
    yield _direct_map(context, image, tables)
    if not image.can_be_compared:
        yield _memory_map(context, image, tables)


def books(context: Context, image: Image) -> Evidence:
    """The second check alone, of any image."""
    tables = own_tables(context, image)
    if tables is None:
        return Evidence(MEMORY_MAP, "no page tables of its own")
    return _memory_map(context, image, tables)


def _direct_map(context: Context, image: Image, tables: AddressSpace) -> Evidence:
    """RAM is mapped linearly, as much of it as this kernel knows of."""
    places = list(_ram_places(context, _PLACES, image.arch.direct_map_most))
    for base in image.arch.direct_maps(context, image):
        found = [(p, tables.translate((base + p) & MASK64)) for p in places]
        lost = sum(paddr is None and tables.lost((base + p) & MASK64) for p, paddr in found)
        right = sum(p == paddr for p, paddr in found)
        wrong = sum(paddr not in (None, p) for p, paddr in found)
        if not right and not wrong:
            continue
        seen = len(places) - lost
        words = f"at {base:#x}: {right} of {seen} places of RAM"
        if wrong:
            return Evidence(DIRECT_MAP, f"{words}, {wrong} mapped elsewhere", False)
        image.knows_little = right * 2 <= seen
        held = None if image.knows_little or right < _FEWEST else True
        return Evidence(DIRECT_MAP, words, held)
    return Evidence(DIRECT_MAP, "not known, or not built yet")


def direct_map(context: Context, image: Image) -> int | None:
    """Where the kernel maps physical address 0, if its tables map RAM nowhere else."""
    tables = own_tables(context, image)
    if tables is None:
        return None
    places = list(_ram_places(context, _PLACES, image.arch.direct_map_most))
    for base in image.arch.direct_maps(context, image):
        found = [tables.translate((base + p) & MASK64) for p in places]
        if sum(map(int.__eq__, places, (f if f is not None else -1 for f in found))) >= _FEWEST:
            return base if set(found) <= {*places, None} else None
    return None


class _StructPages(NamedTuple):
    """The struct pages from that of physical page 0 on, at ``base``, of ``size`` bytes each."""

    context: Context
    tables: AddressSpace
    base: int
    size: int
    page_size: int

    def place(self, paddr: int) -> int | None:
        """Physical address of the struct page of a physical address; None if not mapped."""
        return self.tables.translate(self._vaddr(paddr))

    def _vaddr(self, paddr: int) -> int:
        return (self.base + paddr // self.page_size * self.size) & MASK64

    def is_reserved(self, paddr: int) -> bool | None:
        """Whether it is as __init_single_page and reserving the page left it.

        ``lru`` points at itself, ``_mapcount`` is -1 and ``_refcount`` 1.
        """
        order, word, at = self.context.arch.byte_order, self.context.arch.word, self.place(paddr)
        forms = _LRU_AND_COUNTS[word]
        size = max(counts + 8 for _, counts in forms)
        data = None if at is None else self.context.memory.get(at, size)
        if data is None:
            return None
        once = b"\xff" * 4 + (1).to_bytes(4, order)
        return any(data[:word]) and any(
            data[lru : lru + 2 * word] == (self._vaddr(paddr) + lru).to_bytes(word, order) * 2
            and data[counts : counts + 8] == once
            for lru, counts in forms
        )


def _memory_map(context: Context, image: Image, tables: AddressSpace) -> Evidence:
    """The struct pages of the image's own text are those of reserved memory.

    Where none of several is, it is refuted: it lies in memory that is not a kernel's.
    """
    said, none_is = "not known, or not built yet", False
    page_size = PAGE_SIZE if image.paging is None else image.paging.page_size
    for base in image.arch.memory_maps(context, image):
        for size in _STRUCT_PAGE_SIZES[image.arch.word]:
            pages = _StructPages(context, tables, base, size, page_size)
            for own in _own_pages(image):
                known = [k for p in own if (k := pages.is_reserved(p)) is not None]
                if not known:
                    continue
                said = f"at {base:#x}: {sum(known)} of {len(known)} pages of the image are reserved"
                if sum(known) * 4 >= len(known) * 3 and len(known) >= _FEWEST:
                    return _spread(pages, said)
                none_is = len(known) >= _FEWEST and not any(known)
    return Evidence(MEMORY_MAP, said, False if none_is else None)


def _spread(pages: _StructPages, said: str) -> Evidence:
    """RAM all over has struct pages, each at a place of its own."""
    places = list(_ram_places(pages.context, _OTHER_PAGES, MASK64))
    found = set(map(pages.place, places)) - {None}
    held = True if len(found) * 2 > len(places) else None
    return Evidence(MEMORY_MAP, f"{said}, {len(found)} of {len(places)} places have one", held)


def _own_pages(image: Image) -> Iterator[Sequence[int]]:
    """Physical addresses of some pages of the image's text, as choices.

    Behind a small text lies what the kernel gives back after booting: then those within it.
    """
    start, end = image.text_paddr, image.symbol_paddr("_etext")
    if start is None:
        return
    step = 512 << 10
    yield range(start + step, start + step * (_OWN_PAGES + 1), step)
    if end is not None and start < end < start + step * _OWN_PAGES:
        yield tuple(fixed_pages(range(start & -PAGE_SIZE, end, PAGE_SIZE), _OWN_PAGES))


def _ram_places(context: Context, count: int, most: int) -> Iterator[int]:
    """Page addresses spread evenly over the RAM below ``most``."""
    total = sum(min(ram.end, most) - ram.start for ram in context.dump.ram if ram.start < most)
    wanted = [(2 * number + 1) * total // (2 * count) for number in range(count)]
    done = 0
    for ram in context.dump.ram:
        while wanted and wanted[0] < done + ram.size:
            yield (ram.start + wanted.pop(0) - done) & -PAGE_SIZE
        done += ram.size
