# SPDX-License-Identifier: GPL-3.0-or-later
"""Probing RAM for a kernel's banner, at every place its image may lie.

The image starts at a multiple of an alignment that the architecture guarantees, so its
banner can only be at one offset in each such block of RAM. Where the whole text stands,
the kernel's own variable for its placement tells physical from virtual displacement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ...arch.base import MASK64, Architecture, Proposal
from ...symbols.vmlinux import Vmlinux
from ..context import Context
from ..memory import PAGE_SIZE

SOURCE = "banner"


class Build(NamedTuple):
    """A kernel build: its banner, and linked addresses of what is looked at.

    ``base`` is that of the aligned block that ``_text`` lies in, ``placing`` those
    of :func:`placing_symbols`.
    """

    banner: bytes
    base: int
    linux_banner: int
    placing: Mapping[str, int | None]


def propose(context: Context) -> Iterator[Proposal]:
    """A proposal for every image of the vmlinux's kernel in RAM."""
    build = None if context.vmlinux is None else of_vmlinux(context, context.vmlinux)
    if build is not None:
        yield from images_of(context, build)


def of_vmlinux(context: Context, vmlinux: Vmlinux) -> Build | None:
    """What the vmlinux says to look for, None where it lacks a symbol."""
    text, banner = vmlinux.first(*context.arch.start_symbols), vmlinux.banner
    linux_banner, placement = (
        vmlinux.symbol("linux_banner"),
        vmlinux.first(*context.arch.placements),
    )
    if banner is None or text is None or linux_banner is None or placement is None:
        return None
    placing = {name: vmlinux.symbol(name) for name in placing_symbols(context.arch)}
    return Build(banner, context.image_start(text), linux_banner, placing)


def placing_symbols(arch: Architecture) -> tuple[str, ...]:
    """What an architecture may ask the place of to tell that of the image."""
    return (*arch.placements, *arch.start_symbols)


def images_of(context: Context, build: Build) -> Iterator[Proposal]:
    """A proposal for every image of ``build`` in RAM.

    A place whose variable can't be true is noted as ``unplaced``.
    """
    for start in _banner_places(context, build):
        placed = _placed(context, build, start)
        if placed is None:
            context.unplaced.add(start)
            continue
        voffset, offset = placed
        yield Proposal(
            SOURCE,
            voffset,
            offset,
            f"the whole banner at {start + build.linux_banner - build.base:#x}",
            text_vaddr=build.base + offset,
        )


def _placed(context: Context, build: Build, start: int) -> tuple[int, int] | None:
    """The voffset and KASLR offset that the image's own variables tell, if they can be true."""

    def place(name: str) -> int | None:
        linked = build.placing.get(name)
        return None if linked is None else start + linked - build.base

    voffset = context.arch.stored_voffset(context.memory, place)
    if voffset is None:
        return None
    offset = (start + voffset - build.base) & MASK64
    known = context.plausible(voffset) and context.arch.is_kaslr_offset(offset)
    return (voffset, offset) if known else None


def _banner_places(context: Context, build: Build) -> Iterator[int]:
    """Physical image starts that have the banner (and its NUL) where it belongs."""

    def progress(fraction: float) -> None:
        context.progress("probing for the banner", fraction)

    distance, wanted = build.linux_banner - build.base, build.banner + b"\0"
    # Its part on the first page decides nearly always.
    first = wanted[: PAGE_SIZE - distance % PAGE_SIZE]
    for start in context.dump.places(context.arch.image_align, distance, first, progress):
        if context.memory.get(start + distance, len(wanted)) == wanted:
            yield start
