# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged arm64 kernels, written into the memory of a dump; see :mod:`lab.forgery`.

An arm64 note names no page tables, so what is laid out here competes with the kernel that
runs by what is in memory alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .altered import PAGE, Altered

BLOCK = 2 << 20
_MAGIC = b"ARM\x64"
_VALID, _TABLE = 1, 2
#: AttrIndx 0, AF, inner shareable; a page or table entry has the table bit besides.
_BLOCK, _ENTRY = 0x701, 3
_FRAME = (1 << 48) - PAGE
#: Bits of an address below those that a table of each level tells, the last level first.
_SHIFTS = (12, 21, 30, 39, 48)


def header(image_size: int) -> bytes:
    """An image header (Documentation/arch/arm64/booting.rst) that claims ``image_size`` bytes."""
    return struct.pack("<2I3Q24x4s4x", 0xD503201F, 0x14000000, 0, image_size, 0xA, _MAGIC)


def headers(memory: Altered, places: Sequence[int], sizes: Sequence[int]) -> None:
    """User: a header at each place, of the ``sizes`` in turn."""
    for number, place in enumerate(places):
        memory.write(place, header(sizes[number % len(sizes)]))


def claims(memory: Altered, place: int, count: int, release: str) -> None:
    """User: texts, each with a top-level table of its own, and the banner of none of them.

    The block at ``place`` is what every other table maps as text, as its own upper tables;
    the rest are full of entries for themselves. They lie behind it.
    """
    for number in range(count):
        top = place + BLOCK + 2 * number * PAGE
        text = 0xFFFF_8000_0800_0000 + number % 256 * BLOCK + number // 256 * (1 << 31)
        at = place if number % 2 else top
        memory.write(top, _loop(top, text, place) if number % 2 else _full(top))
        memory.write(top + PAGE, vmcoreinfo(release, text, text - at, top))


def _loop(top: int, text: int, place: int) -> bytes:
    entries = [0] * 512
    for shift in _SHIFTS[2:4]:
        entries[text >> shift & 511] = top | _ENTRY
    entries[text >> _SHIFTS[1] & 511] = place | _BLOCK
    return struct.pack("<512Q", *entries)


def _full(top: int) -> bytes:
    return struct.pack("<512Q", *[top | _ENTRY] * 512)


def vmcoreinfo(release: str, text: int, voffset: int, top: int) -> bytes:
    """A text of a kernel at ``text`` whose top-level table is at physical ``top``."""
    lines = (
        f"OSRELEASE={release}",
        f"PAGESIZE={PAGE}",
        f"SYMBOL(swapper_pg_dir)={top + voffset & (1 << 64) - 1:x}",
        f"SYMBOL(_stext)={text:x}",
        "NUMBER(VA_BITS)=48",
        f"NUMBER(kimage_voffset)=0x{voffset:x}",
        "NUMBER(TCR_EL1_T1SZ)=0x10",
        "KERNELOFFSET=0",
    )
    return ("\n".join(lines) + "\n").encode().ljust(1800, b"#") + b"\n"


@dataclass(frozen=True)
class Live:
    """Where the guest said that its kernel lies, and how its addresses are translated."""

    text_vaddr: int
    text_paddr: int
    levels: int
    symbols: Mapping[str, int]

    @classmethod
    def of(cls, truth: Mapping[str, Any]) -> Live:
        """The facts in a truth file."""
        symbols = {name: int(value, 16) for name, value in truth["symbols"].items()}
        vaddr, paddr = int(truth["text_vaddr"], 16), int(truth["text_paddr"], 16)
        return cls(vaddr, paddr, truth["page_table_levels"], symbols)

    @property
    def size(self) -> int:
        """Bytes of the image, from ``_text`` to ``_end``."""
        return self.symbols["_end"] - self.text_vaddr

    def paddr(self, name: str) -> int:
        """Physical address of a symbol."""
        return self.symbols[name] - self.text_vaddr + self.text_paddr


def unstarted(memory: Altered, live: Live, place: int, linked: bytes) -> None:
    """Whoever boots a guest: the image as it was loaded, which never ran.

    ``linked`` is what ``kimage_voffset`` holds then, and the top-level table is empty.
    """
    _pages(memory, live, place)
    _write(memory, live, place, "kimage_voffset", linked)
    _write(memory, live, place, "swapper_pg_dir", bytes(PAGE))


def twin(memory: Altered, live: Live, place: int) -> None:
    """Kernel: the whole image again, whose own tables map the same addresses to the copy.

    All else that they map, direct map and struct pages, is as in the live kernel.
    ``place`` is as far into a block as the live image is, and lower tables follow the image.
    """
    _pages(memory, live, place)
    voffset = struct.pack("<Q", live.text_vaddr - place & (1 << 64) - 1)
    _write(memory, live, place, "kimage_voffset", voffset)
    spare = iter(range(place + live.size + BLOCK & -BLOCK, 1 << 48, PAGE))
    top = place + live.paddr("swapper_pg_dir") - live.text_paddr
    _Bending(memory, live, place, spare).copy(live.paddr("swapper_pg_dir"), top, live.levels)


def claim_twin(memory: Altered, live: Live, place: int, text_paddr: int) -> None:
    """Kernel: the live kernel's VMCOREINFO at ``text_paddr`` again, behind a twin at ``place``."""
    text = memory.page(text_paddr)
    assert text is not None
    said, told = (
        b"NUMBER(kimage_voffset)=0x%x" % (live.text_vaddr - where & (1 << 64) - 1)
        for where in (live.text_paddr, place)
    )
    assert said in text
    memory.write(place - BLOCK & -PAGE, text.replace(said, told)[:PAGE])


def _pages(memory: Altered, live: Live, place: int) -> None:
    for at in range(0, live.size, PAGE):
        page = memory.page(live.text_paddr + at)
        if page is not None:
            memory.altered[place + at] = page


def _write(memory: Altered, live: Live, place: int, name: str, data: bytes) -> None:
    memory.write(place + live.paddr(name) - live.text_paddr, data)


@dataclass
class _Bending:
    """Tables like the live kernel's, but that the image's addresses lead to ``place``.

    ``spare`` are pages for the lower ones.
    """

    memory: Altered
    live: Live
    place: int
    spare: Iterator[int]

    def copy(self, old: int, new: int, level: int) -> None:
        """Write the table at ``new`` like that at ``old``; the last level is 1."""
        page, live = self.memory.page(old), self.live
        if page is None:
            return  # a sample's: the copy lacks it too
        entries = list(struct.unpack("<512Q", page))
        for index, entry in enumerate(entries):
            frame = entry & _FRAME
            if not entry & _VALID:
                continue
            if level > 1 and entry & _TABLE:
                if level < live.levels or index == _top_index(live):
                    lower = next(self.spare)
                    self.copy(frame, lower, level - 1)
                    entries[index] = entry & ~_FRAME | lower
            elif live.text_paddr <= frame < live.text_paddr + live.size:
                entries[index] = entry & ~_FRAME | frame - live.text_paddr + self.place
        self.memory.write(new, struct.pack("<512Q", *entries))


def _top_index(live: Live) -> int:
    return live.text_vaddr >> _SHIFTS[live.levels - 1] & 511


def unused(memory: Altered, size: int, like: int = 0) -> list[int]:
    """Places for ``size`` bytes that hold nothing, as far into a block as ``like``."""
    found = []
    for ram in memory.ram:
        free = 0
        for paddr in range(ram.end - PAGE, ram.start - 1, -PAGE):
            page = memory.page(paddr)
            free = free + PAGE if page is None or not any(page) else 0
            if free >= size and paddr % BLOCK == like % BLOCK:
                found.append(paddr)
                free = 0
    return found
