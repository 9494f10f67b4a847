# SPDX-License-Identifier: GPL-3.0-or-later
"""Probing RAM for a kernel's banner, at every place its image may lie.

The image starts at a multiple of 2 MiB (CONFIG_PHYSICAL_ALIGN's least value), so its
banner can only be at one offset in each 2 MiB of RAM. Where the whole text stands, the
kernel's own phys_base variable tells physical from virtual displacement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..arch.x86_64 import PAGE_SIZE, PMD_SIZE, START_KERNEL_MAP
from ..text import signed64
from .candidate import Candidate, is_kaslr_offset, is_phys_base
from .context import Context
from .image import Image

SOURCE = "banner"


@dataclass(frozen=True, slots=True)
class Build:
    """A kernel build: its banner, and linked addresses of what is looked at.

    ``base`` is that of the 2 MiB that ``_text`` lies in.
    """

    banner: bytes
    base: int
    linux_banner: int
    phys_base: int


def propose(context: Context) -> Iterator[Candidate]:
    """A candidate for every complete image of the vmlinux's kernel in RAM."""
    vmlinux = context.vmlinux
    if vmlinux is None:
        return
    text, banner = vmlinux.first("_text", "_stext"), vmlinux.banner
    linux_banner, phys_base = vmlinux.symbol("linux_banner"), vmlinux.symbol("phys_base")
    if banner is None or text is None or linux_banner is None or phys_base is None:
        return
    yield from images_of(context, Build(banner, text & -PMD_SIZE, linux_banner, phys_base))


def twins(context: Context, image: Image) -> Iterator[Candidate]:
    """Other images in RAM of the build that ``image`` was found to be; itself included."""
    linux_banner, phys_base = image.vaddr("linux_banner"), image.vaddr("phys_base")
    text, offset, banner = image.text_vaddr, image.kaslr_offset, image.banner
    if linux_banner is None or phys_base is None:
        return
    if text is None or offset is None or banner is None:
        return
    base = (text & -PMD_SIZE) - offset
    yield from images_of(context, Build(banner, base, linux_banner - offset, phys_base - offset))


def images_of(context: Context, build: Build) -> Iterator[Candidate]:
    """A candidate for every complete image of ``build`` in RAM."""
    for start in _banner_places(context, build):
        value = context.memory.u64(start + build.phys_base - build.base)
        if value is None:
            continue
        phys_base = signed64(value)
        offset = start - (build.base - START_KERNEL_MAP) - phys_base
        if is_phys_base(phys_base, context.ram_end) and is_kaslr_offset(offset):
            yield Candidate(
                SOURCE,
                phys_base,
                offset,
                f"the whole banner at {start + build.linux_banner - build.base:#x}",
                text_vaddr=build.base + offset,
            )


def _banner_places(context: Context, build: Build) -> Iterator[int]:
    """Physical image starts that have the banner (and its NUL) where it belongs."""
    distance, wanted = build.linux_banner - build.base, build.banner + b"\0"
    for stored in context.dump.stored:
        first = -(-(stored.start - distance) // PMD_SIZE) * PMD_SIZE
        for start in range(max(first, 0), stored.end - distance, PMD_SIZE):
            if start % (64 * PMD_SIZE) == 0:
                context.progress("probing for the banner", start / context.ram_end)
            if _stands_at(context, start + distance, wanted):
                yield start


def _stands_at(context: Context, paddr: int, wanted: bytes) -> bool:
    """Whether the text is there; its part on the first page decides nearly always."""
    first = wanted[: PAGE_SIZE - paddr % PAGE_SIZE]
    return context.memory.get(paddr, len(first)) == first and (
        context.memory.get(paddr, len(wanted)) == wanted
    )
