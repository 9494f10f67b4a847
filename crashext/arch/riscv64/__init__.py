# SPDX-License-Identifier: GPL-3.0-or-later
"""riscv64, as :class:`crashext.arch.base.Architecture` asks of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from ...dumps.base import Note
from ...text import hex64
from ...vmcoreinfo import Vmcoreinfo
from .. import image_header
from ..base import MASK64, Cpu, Evidence, Memory, Paging, Resources, Search, View
from ..usual import Usual
from . import layout
from .paging import PageTables
from .registers import cpu_states


class RiscV64(Usual):
    """The descriptor; it has no state."""

    name = "riscv64"
    #: The header of a kdump doesn't say what it is of, nor does raw memory.
    dump_arches: tuple[str, ...] = ("riscv64", "unknown")
    image_align = layout.IMAGE_ALIGN
    pagings: tuple[Paging, ...] = tuple(layout.SATP_MODES.values())
    top_tables: tuple[str, ...] = ("swapper_pg_dir",)
    meanings: Mapping[str, str] = MappingProxyType({image_header.NAME: image_header.MEANING})
    #: _text lies a page or two behind the image's first byte (kernel/vmlinux.lds.S).
    start_symbols: tuple[str, ...] = ("_start",)
    #: arch/riscv/mm/init.c; its virt_addr and phys_addr.
    placements: tuple[str, ...] = ("kernel_map",)
    image_resources: Resources = layout.IMAGE_RESOURCES
    symbols: tuple[str, ...] = ("satp_mode", "phys_ram_base", "vmemmap_start_pfn", "mem_map")
    image_magic: tuple[int, bytes] | None = (image_header.MAGIC_OFFSET, layout.IMAGE_MAGIC)
    kernel_code: re.Pattern[bytes] | None = layout.MASKS_INTERRUPTS
    notes_name_tables = False
    said_placements: tuple[str, ...] = (
        "NUMBER(va_kernel_pa_offset)",
        "NUMBER(phys_ram_base)",
        "NUMBER(VA_BITS)",
    )
    crash_lacks = (
        "crash has no option for riscv64's memory layout: it needs VMCOREINFO in the file, "
        "and starts on no other dump"
    )

    def cpus(self, notes: Sequence[Note]) -> tuple[Cpu, ...]:
        """The vCPUs that have an NT_PRSTATUS note."""
        return cpu_states(notes)

    def tables(self, memory: Memory, root: int, paging: Paging, ram_end: int) -> PageTables:
        """The address space at ``root``."""
        return PageTables(memory, root, paging)

    def is_image_vaddr(self, vaddr: int) -> bool:
        """See :func:`layout.is_image_vaddr`."""
        return layout.is_image_vaddr(vaddr)

    def is_voffset(self, voffset: int, ram_end: int) -> bool:
        """See :func:`layout.is_voffset`."""
        return layout.is_voffset(voffset, ram_end)

    def is_kaslr_offset(self, value: int) -> bool:
        """See :func:`layout.is_kaslr_offset`."""
        return layout.is_kaslr_offset(value)

    def said_voffset(self, info: Vmcoreinfo) -> int | None:
        """From NUMBER(va_kernel_pa_offset): hex, since 6.4."""
        value = info.number("va_kernel_pa_offset")
        return None if value is None else value & MASK64

    def said_text(self, info: Vmcoreinfo) -> int | None:
        """``_stext`` lies in the first 2 MiB of the image."""
        stext = info.symbol("_stext")
        return None if stext is None else stext & -self.image_align

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        """From ``kernel_map``."""
        kernel_map = _kernel_map(memory, paddr("kernel_map"))
        return None if kernel_map is None else kernel_map.voffset

    def window_starts_image(self, vaddr: int) -> bool:
        """Modules and BPF programs, in the window too, are mapped by other voffsets."""
        return vaddr % self.image_align == 0

    def image_size(self, head: bytes) -> int | None:
        """See :func:`crashext.arch.image_header.image_size`."""
        return image_header.image_size(head, layout.IMAGE_MAGIC)

    def checks(self, search: Search, image: View) -> Iterator[Evidence]:
        """The image header."""
        text = image.text_vaddr
        start = None if text is None else image.paddr(text) & -self.image_align
        yield image_header.check(search, image, start, layout.IMAGE_MAGIC)

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        """As ``satp_mode`` says, or VMCOREINFO, where they are known."""
        mode = _variable(search, image, "satp_mode")
        said = None if image.info is None else image.info.number("VA_BITS")
        for number, paging in layout.SATP_MODES.items():
            if paging.va_bits == said or (mode is not None and mode >> 60 == number):
                return (paging,)
        return self.pagings

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """True while the kernel runs on ``early_pg_dir`` still (setup_vm_final, mm/init.c)."""
        table = search.memory.get(root, 4096)
        return table is not None and not any(table)

    def boot_kaslr_offset(self, search: Search, image: View) -> int | None:
        """Every kernel is linked to KERNEL_LINK_ADDR."""
        text = image.text_vaddr
        offset = None if text is None else (text & -self.image_align) - layout.KERNEL_LINK_ADDR
        return offset if offset is not None and self.is_kaslr_offset(offset) else None

    def phys_offset(self, search: Search, image: View) -> int | None:
        """``phys_ram_base``; what VMCOREINFO says is the same."""
        value = _variable(search, image, "phys_ram_base")
        if value is None and image.info is not None:
            value = image.info.number("phys_ram_base")
        return value or None

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        """``va_pa_offset`` of ``kernel_map``: virtual less physical address of the direct map."""
        kernel_map = _kernel_map_of(search, image)
        if kernel_map is not None and kernel_map.va_pa_offset:
            yield kernel_map.va_pa_offset

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        """``mem_map`` or ``vmemmap``, less the page frames before RAM."""
        kernel_map, paging = _kernel_map_of(search, image), image.paging
        ram, one_array = self.phys_offset(search, image), _variable(search, image, "mem_map")
        if kernel_map is None or paging is None or ram is None:
            return
        first = ram // paging.page_size
        if one_array:
            yield from layout.memory_map_bases(one_array, first)
        if kernel_map.page_offset is not None:
            start = layout.vmemmap_start(kernel_map.page_offset, paging.va_bits)
            # Since 6.9 it is the first of a section.
            known = _variable(search, image, "vmemmap_start_pfn")
            for frame in (first,) if known is None else (known, first):
                yield from layout.memory_map_bases(start, frame)

    def vmcoreinfo(self, search: Search, image: View) -> Mapping[str, str]:
        """As arch/riscv/kernel/vmcore_info.c writes them: crash has no other source."""
        lines = dict(super().vmcoreinfo(search, image))
        lines["NUMBER(va_kernel_pa_offset)"] = hex64(image.voffset)
        ram, kernel_map = self.phys_offset(search, image), _kernel_map_of(search, image)
        if ram is not None:
            lines["NUMBER(phys_ram_base)"] = hex64(ram)
        if image.paging is None:
            return lines
        lines["NUMBER(VA_BITS)"] = f"{image.paging.va_bits}"
        if kernel_map is not None and kernel_map.page_offset is not None:
            regions = layout.regions(kernel_map.page_offset, image.paging.va_bits)
            regions |= layout.module_region(image.vaddr("_start"), image.vaddr("_end"))
            lines |= {f"NUMBER({name})": hex64(value) for name, value in regions.items()}
        return lines


def _variable(search: Search, image: View, name: str) -> int | None:
    vaddr = image.vaddr(name)
    return None if vaddr is None else search.memory.u64(image.paddr(vaddr))


def _kernel_map(memory: Memory, paddr: int | None) -> layout.KernelMap | None:
    data = None if paddr is None else memory.get(paddr, layout.KERNEL_MAP_SIZE)
    return None if data is None else layout.kernel_map(data)


def _kernel_map_of(search: Search, image: View) -> layout.KernelMap | None:
    vaddr = image.vaddr("kernel_map")
    return _kernel_map(search.memory, None if vaddr is None else image.paddr(vaddr))
