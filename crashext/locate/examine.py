# SPDX-License-Identifier: GPL-3.0-or-later
"""From a proposed image to a checked one: find its symbols, then run the checks."""

from __future__ import annotations

from collections.abc import Mapping

from ..arch.x86_64 import KERNEL_IMAGE_MAX, PMD_SIZE, START_KERNEL_MAP
from ..arch.x86_64_paging import Mapping as Run
from ..symbols.runtime import KnownSymbols, LinkedSymbols
from ..symbols.vmlinux import Vmlinux
from . import from_page_tables, from_vmcoreinfo_memory
from .candidate import is_kaslr_offset
from .context import Context
from .identify import identify
from .image import Image
from .verify import TOP_TABLES, kernel_tables, verify

#: boot_params.hdr.pref_address: LOAD_PHYSICAL_ADDR, where the image was linked to run
#: (Documentation/arch/x86/boot.rst, offset 0x258).
_PREF_ADDRESS = 0x258


def examine(context: Context, image: Image) -> None:
    """Check ``image`` with the vmlinux's symbols, or with its own where that can't be."""
    if context.vmlinux is not None:
        image.matches_vmlinux = _check_with_vmlinux(context, image, context.vmlinux)
        if image.matches_vmlinux:
            return
        # Offsets worked out with the symbols of another build mean nothing.
        image.kaslr_offset = next(
            (c.kaslr_offset for c in image.candidates if c.info is not None), None
        )
    runs = _runs(context, image)
    identify(context, image, runs)
    if image.symbols.origin == "none":
        _symbols_from_vmcoreinfo(image)
    verify(context, image)
    if image.kaslr_offset is None:
        image.kaslr_offset = _own_kaslr_offset(context, image)


def _check_with_vmlinux(context: Context, image: Image, vmlinux: Vmlinux) -> bool:
    if image.kaslr_offset is None:
        image.kaslr_offset = _offset_by_banner(context, image, vmlinux)
    text = vmlinux.first("_text", "_stext")
    if image.kaslr_offset is None or text is None:
        return False
    image.symbols = LinkedSymbols(vmlinux, image.kaslr_offset)
    image.text_vaddr = text + image.kaslr_offset
    verify(context, image)
    if image.checks["linux_banner"].held:
        return True
    image.symbols = KnownSymbols({}, "none")
    image.text_vaddr = next(
        (c.text_vaddr for c in image.candidates if c.text_vaddr is not None), None
    )
    return False


def _offset_by_banner(context: Context, image: Image, vmlinux: Vmlinux) -> int | None:
    """The KASLR offset at which the vmlinux's banner stands in this image, or None."""
    linked, banner = vmlinux.symbol("linux_banner"), vmlinux.banner
    if linked is None or banner is None:
        return None
    for offset in range(0, KERNEL_IMAGE_MAX - (linked - START_KERNEL_MAP), PMD_SIZE):
        if context.memory.get(image.paddr(linked + offset), len(banner) + 1) == banner + b"\0":
            return offset
    return None


def _runs(context: Context, image: Image) -> list[Run]:
    """How the image is mapped: by a vCPU's tables, else by its own as VMCOREINFO has them."""
    for cpu in context.cpus:
        if cpu.index in image.cpus:
            root = from_page_tables.kernel_root(context, cpu)
            if root is not None:
                mappings = context.image_mappings(root, cpu.levels)
                return from_page_tables.image_runs(mappings, context.ram_end)
    for candidate in image.candidates:
        root = _top_table(image, candidate.info.symbols) if candidate.info else None
        for levels in (4, 5) if root is not None else ():
            mappings = context.image_mappings(root or 0, levels)
            runs = from_page_tables.image_runs(mappings, context.ram_end)
            if runs and runs[0].phys_base == image.phys_base:
                image.levels = levels
                return runs
    return []


def _top_table(image: Image, symbols: Mapping[str, int]) -> int | None:
    vaddr = KnownSymbols(symbols, "").vaddr(*TOP_TABLES)
    return None if vaddr is None or vaddr < START_KERNEL_MAP else image.paddr(vaddr)


def _symbols_from_vmcoreinfo(image: Image) -> None:
    for candidate in image.candidates:
        if candidate.info is not None:
            image.symbols = KnownSymbols(candidate.info.symbols, "VMCOREINFO")
            return


def _own_kaslr_offset(context: Context, image: Image) -> int | None:
    """The KASLR offset as the kernel itself knows it: linked address from the boot header.

    VMCOREINFO's KERNELOFFSET, reached through vmcoreinfo_data, says it outright; the
    boot protocol's pref_address gives the address _text was linked for.
    """
    params = image.vaddr("boot_params")
    if params is not None and image.text_vaddr is not None:
        linked = context.memory.u64(image.paddr(params) + _PREF_ADDRESS)
        offset = None if linked is None else image.text_vaddr - START_KERNEL_MAP - linked
        if linked and offset is not None and is_kaslr_offset(offset):
            return offset
    return _vmcoreinfo_offset(context, image)


def _vmcoreinfo_offset(context: Context, image: Image) -> int | None:
    vaddr, tables = image.vaddr("vmcoreinfo_data"), kernel_tables(context, image)
    pointer = None if vaddr is None else context.memory.u64(image.paddr(vaddr))
    paddr = tables.translate(pointer) if tables is not None and pointer else None
    info = None if paddr is None else from_vmcoreinfo_memory.read_text(context, paddr)
    return None if info is None else info.kernel_offset
