# SPDX-License-Identifier: GPL-3.0-or-later
"""From a proposed image to a checked one: find its symbols, then run the checks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, takewhile

from ...arch.base import MASK64, Paging, Proposal, Run
from ...symbols.runtime import KnownSymbols, LinkedSymbols
from ...symbols.vmlinux import Vmlinux
from ..context import Context
from ..ways import page_tables
from . import body
from .checks import accounts_for_itself, verify
from .identify import banner_before_kallsyms, identify
from .image import Image
from .kaslr import own_kaslr_offset

#: An image whose first blocks the tables lost is looked for this many steps lower.
_NEIGHBOURS = 4
#: Offsets tried where nothing tells: those of 1 GiB in steps of 2 MiB.
_MAX_STEPS = 512


def examine(context: Context, image: Image) -> None:
    """Check ``image`` with the vmlinux's symbols, or with its own where that can't be."""
    if context.vmlinux is not None:
        image.made_of_memory = context.vmlinux.is_made
        image.matches_vmlinux = _check_with_vmlinux(context, image, context.vmlinux)
        if image.matches_vmlinux:
            return
    runs = runs_of(context, image)
    _symbols_from_vmcoreinfo(image)
    # Offsets worked out with the symbols of another build mean nothing.
    image.kaslr_offset = own_kaslr_offset(context, image)
    if not context.arch.notes_name_tables:
        banner_before_kallsyms(context, image)
        if image.banner is not None:
            verify(context, image)
            if accounts_for_itself(image):
                return  # kallsyms, some thousand pages of it, would prove no more
    identify(context, image, runs)
    image.kaslr_offset = own_kaslr_offset(context, image)
    verify(context, image)


def _check_with_vmlinux(context: Context, image: Image, vmlinux: Vmlinux) -> bool:
    measured, text = image.text_vaddr, vmlinux.first(*image.arch.start_symbols)
    offset = next(_offsets(context, image, vmlinux), None)
    if offset is None or text is None:
        return False
    image.kaslr_offset = offset
    image.symbols = LinkedSymbols(vmlinux, offset)
    image.text_vaddr = text + offset
    verify(context, image)
    if {"linux_banner", "build_id", body.NAME} & set(image.held):
        return True
    image.symbols, image.text_vaddr = KnownSymbols({}, "none"), measured
    return False


def _offsets(context: Context, image: Image, vmlinux: Vmlinux) -> Iterator[int]:
    """KASLR offsets to try: the one measured if need be, those at which the banner stands."""
    text, measured = vmlinux.first(*image.arch.start_symbols), image.text_vaddr
    step = context.arch.image_align
    known = image.kaslr_offset
    if known is None and text is not None and measured is not None:
        known = measured - context.image_start(text)
    if known is None:
        window = islice(takewhile(context.arch.is_kaslr_offset, count(0, step)), _MAX_STEPS)
        stands = [o for o in window if banner_stands(context, image.voffset, o)]
        # Several: a forged one may share the placement. The body tells.
        yield from sorted(stands, key=lambda o: _is_hollow(context, vmlinux, image.voffset, o))
        return
    near = [known, *(known - n * step for n in range(1, _NEIGHBOURS + 1))]
    likely = [offset for offset in near if context.arch.is_kaslr_offset(offset)]
    yield from (o for o in likely if banner_stands(context, image.voffset, o))
    yield from likely[:1]


def banner_stands(context: Context, voffset: int, offset: int | None) -> bool:
    """True when the vmlinux's whole banner is where this placement puts it."""
    vmlinux = context.vmlinux
    linked = None if vmlinux is None else vmlinux.symbol("linux_banner")
    banner = None if vmlinux is None else vmlinux.banner
    if linked is None or banner is None or offset is None:
        return False
    paddr = (linked + offset - voffset) & MASK64
    return context.memory.get(paddr, len(banner) + 1) == banner + b"\0"


def contradicted(context: Context, voffset: int, offset: int | None) -> bool:
    """True when the kernel's own variables, where this placement puts them, say another one."""
    if offset is None:
        return False

    def place(name: str) -> int | None:
        linked = context.linked(name)
        return None if linked is None else (linked + offset - voffset) & MASK64

    return context.arch.stored_voffset(context.memory, place) not in (None, voffset)


def traces_stand(context: Context, voffset: int, offset: int | None) -> bool:
    """True when the vmlinux's banner or its notes are where this placement puts them."""
    vmlinux = context.vmlinux
    if banner_stands(context, voffset, offset):
        return True
    if vmlinux is None or vmlinux.notes is None or offset is None:
        return False
    linked, notes = vmlinux.notes
    return context.memory.get((linked + offset - voffset) & MASK64, len(notes)) == notes


def hollow(context: Context, proposal: Proposal) -> bool:
    """True for a place that has the vmlinux's banner, but not the rest of that kernel."""
    vmlinux, offset = context.vmlinux, proposal.kaslr_offset
    return (
        vmlinux is not None
        and offset is not None
        and _is_hollow(context, vmlinux, proposal.voffset, offset)
    )


def _is_hollow(context: Context, vmlinux: Vmlinux, voffset: int, offset: int) -> bool:
    def paddr_of(vaddr: int) -> int:
        return (vaddr - voffset) & MASK64

    return body.of_build(context, vmlinux, paddr_of, offset).held is False


def runs_of(context: Context, image: Image) -> list[Run]:
    """How the image is mapped: by a vCPU's tables, else by its own that a proposal names."""
    for cpu in context.cpus:
        if cpu.number in image.running:
            root = page_tables.kernel_root(context, cpu)
            if root is not None and cpu.paging is not None:
                return _image_runs(context, image, root, cpu.paging)
    for proposal in image.proposals:
        if proposal.root is not None and proposal.paging is not None:
            image.paging = proposal.paging
            return _image_runs(context, image, proposal.root, proposal.paging)
    return []


def _image_runs(context: Context, image: Image, root: int, paging: Paging) -> list[Run]:
    mapped = context.image_runs(root, paging, image.text_vaddr)
    runs = [r for r in mapped if r.voffset == image.voffset]
    if image.text_vaddr is None and runs and not image.partial_cpus:
        image.text_vaddr = runs[0].vaddr
    return runs


def _symbols_from_vmcoreinfo(image: Image) -> None:
    """Few, but enough for some checks: only those of a text that page tables bear out."""
    info = image.info
    if info is None:
        return
    image.build_id = info.build_id
    image.symbols = KnownSymbols(info.symbols, "VMCOREINFO")
