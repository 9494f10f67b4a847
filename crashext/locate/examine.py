# SPDX-License-Identifier: GPL-3.0-or-later
"""From a proposed image to a checked one: find its symbols, then run the checks."""

from __future__ import annotations

from ..arch.x86_64 import KERNEL_IMAGE_MAX, PMD_SIZE, START_KERNEL_MAP, image_paddr
from ..arch.x86_64_paging import Mapping
from ..symbols.runtime import KnownSymbols, LinkedSymbols
from ..symbols.vmlinux import Vmlinux
from . import boot_params, from_page_tables, vmcoreinfo_data
from .candidate import Candidate, is_kaslr_offset
from .claim import measure
from .context import Context
from .identify import identify
from .image import Image
from .verify import verify


def examine(context: Context, image: Image) -> None:
    """Check ``image`` with the vmlinux's symbols, or with its own where that can't be."""
    if context.vmlinux is not None:
        image.matches_vmlinux = _check_with_vmlinux(context, image, context.vmlinux)
        if image.matches_vmlinux:
            return
    identify(context, image, _runs(context, image))
    if not image.has_symbols:
        _symbols_from_vmcoreinfo(image)
    # Offsets worked out with the symbols of another build mean nothing.
    image.kaslr_offset = own_kaslr_offset(context, image)
    verify(context, image)


def _check_with_vmlinux(context: Context, image: Image, vmlinux: Vmlinux) -> bool:
    measured = image.text_vaddr
    text = vmlinux.first("_text", "_stext")
    offset = image.kaslr_offset
    if offset is None and text is not None and measured is not None:
        distance = measured - (text & ~(PMD_SIZE - 1))
        offset = distance if is_kaslr_offset(distance) else None
    if offset is None:
        offset = _offset_by_banner(context, image, vmlinux)
    if offset is None or text is None:
        return False
    image.kaslr_offset = offset
    image.symbols = LinkedSymbols(vmlinux, offset)
    image.text_vaddr = text + offset
    verify(context, image)
    if image.checks["linux_banner"].held:
        return True
    image.symbols, image.text_vaddr = KnownSymbols({}, "none"), measured
    return False


def banner_stands(context: Context, candidate: Candidate) -> bool:
    """True when the vmlinux's whole banner is where the candidate puts it."""
    vmlinux = context.vmlinux
    linked = None if vmlinux is None else vmlinux.symbol("linux_banner")
    banner = None if vmlinux is None else vmlinux.banner
    if linked is None or banner is None or candidate.kaslr_offset is None:
        return False
    paddr = image_paddr(linked + candidate.kaslr_offset, candidate.phys_base)
    return context.memory.get(paddr, len(banner) + 1) == banner + b"\0"


def _offset_by_banner(context: Context, image: Image, vmlinux: Vmlinux) -> int | None:
    """The KASLR offset at which the vmlinux's banner stands in this image, or None."""
    linked, banner = vmlinux.symbol("linux_banner"), vmlinux.banner
    if linked is None or banner is None:
        return None
    for offset in range(0, KERNEL_IMAGE_MAX - (linked - START_KERNEL_MAP), PMD_SIZE):
        if context.memory.get(image.paddr(linked + offset), len(banner) + 1) == banner + b"\0":
            return offset
    return None


def _runs(context: Context, image: Image) -> list[Mapping]:
    """How the image is mapped: by a vCPU's tables, else by its own as VMCOREINFO has them."""
    for cpu in context.cpus:
        if cpu.index in image.cpus:
            root = from_page_tables.kernel_root(context, cpu)
            if root is not None:
                return _image_runs(context, image, root, cpu.levels)
    for candidate in image.candidates:
        symbols = {} if candidate.info is None else candidate.info.symbols
        measured = measure(context, symbols, image.phys_base)
        if measured is not None:
            image.levels = measured.levels
            return _image_runs(context, image, measured.root, measured.levels)
    return []


def _image_runs(context: Context, image: Image, root: int, levels: int) -> list[Mapping]:
    runs = from_page_tables.image_runs(context.image_mappings(root, levels), context.ram_end)
    if image.text_vaddr is None and runs:
        image.text_vaddr = runs[0].vaddr
    return runs


def _symbols_from_vmcoreinfo(image: Image) -> None:
    """Few, but enough for some checks: only those of a text that page tables bear out."""
    for info in image.infos:
        image.symbols = KnownSymbols(info.symbols, "VMCOREINFO")
        image.build_id = info.build_id
        return


def own_kaslr_offset(context: Context, image: Image) -> int | None:
    """The KASLR offset as the kernel itself knows it, None where nothing tells.

    The boot loader's parameters may tell the address that _text was linked for; a
    VMCOREINFO that vmcoreinfo_data leads to says the offset outright; claims of texts
    that page tables bear out count if all of them agree.
    """
    offset = boot_params.kaslr_offset(context, image)
    if offset is not None:
        return offset
    info = vmcoreinfo_data.info(context, image)
    if info is not None and info.kernel_offset is not None:
        return info.kernel_offset
    claims = {info.kernel_offset for info in image.infos}
    return claims.pop() if len(claims) == 1 else None
