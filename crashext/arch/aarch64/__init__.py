# SPDX-License-Identifier: GPL-3.0-or-later
"""arm64, as :class:`crashext.arch.base.Architecture` asks of it."""

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
from . import layout, state
from .code import addresses
from .paging import PageTables
from .registers import cpu_states


class AArch64(Usual):
    """The descriptor; it has no state."""

    name = "aarch64"
    #: The header of a kdump doesn't say what it is of, nor does raw memory.
    dump_arches: tuple[str, ...] = ("aarch64", "unknown")
    image_align = layout.IMAGE_ALIGN
    dense_text: tuple[int, ...] = (layout.HEAD_SIZE,)
    pagings: tuple[Paging, ...] = layout.PAGINGS
    top_tables: tuple[str, ...] = ("swapper_pg_dir",)
    meanings: Mapping[str, str] = MappingProxyType({image_header.NAME: image_header.MEANING})
    #: arch/arm64/mm/mmu.c, set before anything else is (kernel/head.S).
    placements: tuple[str, ...] = ("kimage_voffset",)
    image_resources: Resources = layout.IMAGE_RESOURCES
    call_entry = "do_el0_svc"
    symbols: tuple[str, ...] = ("memstart_addr", "vabits_actual")
    image_magic: tuple[int, bytes] | None = (image_header.MAGIC_OFFSET, layout.IMAGE_MAGIC)
    kernel_code: re.Pattern[bytes] | None = layout.READS_CURRENT
    notes_name_tables = False
    said_placements: tuple[str, ...] = (
        "NUMBER(kimage_voffset)",
        "NUMBER(PHYS_OFFSET)",
        "NUMBER(TCR_EL1_T1SZ)",
    )
    #: crash has the size of addresses from TCR_EL1.T1SZ in VMCOREINFO, or else derives a wrong
    #: one from a symbol's address: ``vabits_actual`` is heard for kernels that have such a
    #: variable alone (crash arm64.c, arm64_calc_VA_BITS).
    crash_lacks = (
        "crash takes the size of an arm64 kernel's addresses from VMCOREINFO, not from options"
    )

    def addresses(self, code: bytes, vaddr: int) -> frozenset[int]:
        """See :mod:`.code`."""
        return addresses(code, vaddr)

    def cpus(self, notes: Sequence[Note]) -> tuple[Cpu, ...]:
        """The vCPUs that have an NT_PRSTATUS note."""
        return cpu_states(notes)

    def state_notes(self, states: Sequence[Mapping[str, bytes]]) -> tuple[Note, ...]:
        """See :mod:`.state`."""
        return state.notes(states)

    def tables(self, memory: Memory, root: int, paging: Paging, ram_end: int) -> PageTables:
        """The kernel's half of the address space, TTBR1's."""
        return PageTables(memory, root, paging)

    def is_image_vaddr(self, vaddr: int) -> bool:
        """True for all that TTBR1 can translate: where images lie in it depends on VA_BITS."""
        return layout.KERNEL_VADDR <= vaddr <= MASK64

    def is_voffset(self, voffset: int, ram_end: int) -> bool:
        """See :func:`layout.is_voffset`."""
        return layout.is_voffset(voffset, ram_end)

    def is_kaslr_offset(self, value: int) -> bool:
        """See :func:`layout.is_kaslr_offset`."""
        return layout.is_kaslr_offset(value)

    def said_voffset(self, info: Vmcoreinfo) -> int | None:
        """From NUMBER(kimage_voffset): hex, since 4.11."""
        value = info.number("kimage_voffset")
        return None if value is None else value & MASK64

    def said_text(self, info: Vmcoreinfo) -> int | None:
        """See :func:`layout.text_vaddr`."""
        return layout.text_vaddr(info)

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        """The variable ``kimage_voffset``."""
        place = paddr("kimage_voffset")
        return None if place is None else memory.u64(place)

    def image_size(self, head: bytes) -> int | None:
        """See :func:`crashext.arch.image_header.image_size`."""
        return image_header.image_size(head, layout.IMAGE_MAGIC)

    def checks(self, search: Search, image: View) -> Iterator[Evidence]:
        """The image header."""
        text = image.text_vaddr
        start = None if text is None else image.paddr(text)
        yield image_header.check(search, image, start, layout.IMAGE_MAGIC)

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        """As VMCOREINFO says, where there is one."""
        return layout.PAGINGS if image.info is None else layout.said_pagings(image.info)

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """True while the kernel runs on ``init_pg_dir`` still (paging_init, mm/mmu.c)."""
        table = search.memory.get(root, 4096)
        return table is not None and not any(table)

    def phys_offset(self, search: Search, image: View) -> int | None:
        """``memstart_addr``; what VMCOREINFO calls PHYS_OFFSET is the same."""
        vaddr = image.vaddr("memstart_addr")
        value = None if vaddr is None else search.memory.u64(image.paddr(vaddr))
        if value is None and image.info is not None:
            value = image.info.number("PHYS_OFFSET")
        return None if value is None else value & MASK64

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        """The linear map, by ``memstart_addr``."""
        memstart = self.phys_offset(search, image)
        if memstart is not None:
            for page_offset in layout.page_offsets(_built_bits(image), image.paging):
                yield layout.linear_base(page_offset, memstart)

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        """``vmemmap``, by ``memstart_addr``."""
        memstart, paging = self.phys_offset(search, image), image.paging
        if memstart is None or paging is None:
            return
        said = None if image.info is None else image.info.number("VMEMMAP_START")
        bits = {_built_bits(image) or paging.va_bits: None, 52: None}
        starts = (said,) if said else (s for b in bits for s in layout.vmemmap_starts(b, paging))
        for start in starts:
            yield layout.memory_map_base(start & MASK64, memstart, paging)

    def vmcoreinfo(self, search: Search, image: View) -> Mapping[str, str]:
        """As arch/arm64/kernel/vmcore_info.c writes them.

        T1SZ tells what the CPU translates, VA_BITS what the kernel was built for, which is
        the same unless that is 52.
        """
        lines = dict(super().vmcoreinfo(search, image))
        lines["NUMBER(kimage_voffset)"] = hex64(image.voffset)
        memstart, built = self.phys_offset(search, image), _built_bits(image)
        if memstart is not None:
            lines["NUMBER(PHYS_OFFSET)"] = hex64(memstart)
        if image.paging is not None:
            actual = image.paging.va_bits
            built = built or layout.built_bits(memstart or 0, actual)
            lines["NUMBER(VA_BITS)"] = f"{built}"
            lines["NUMBER(TCR_EL1_T1SZ)"] = hex64(64 - actual)
        return lines

    def dumped_phys_base(self, search: Search, image: View) -> int | None:
        """What the kernel calls PHYS_OFFSET (QEMU target/arm/arch_dump.c)."""
        return self.phys_offset(search, image)

    def crash_args(self, search: Search, image: View) -> tuple[str, ...]:
        """What it would read from VMCOREINFO (crash arm64.c, arm64_parse_cmdline_args).

        It hears of ``vabits_actual`` for kernels that have such a variable alone. For others it
        needs a VMCOREINFO, and takes PHYS_OFFSET amiss where the CPU has fewer bits than they
        are built for.
        """
        offset, memstart = image.kaslr_offset, self.phys_offset(search, image)
        if offset is None or image.paging is None:
            return ()
        heard = memstart and layout.phys_offset_of(image.paging.va_bits, memstart)
        if image.vaddr("vabits_actual") is None:
            if heard is None or heard == memstart:
                return ()
            return "--machdep", f"phys_offset={hex64(heard)}"
        args = [f"--kaslr={offset:#x}"] if offset else []
        args += ["--machdep", f"kimage_voffset={hex64(image.voffset)}"]
        args += ["--machdep", f"vabits_actual={image.paging.va_bits}"]
        if heard is not None:
            args += ["--machdep", f"phys_offset={hex64(heard)}"]
        return tuple(args)


def _built_bits(image: View) -> int | None:
    """CONFIG_ARM64_VA_BITS, where the kernel's VMCOREINFO tells it."""
    bits = None if image.info is None else image.info.number("VA_BITS")
    return bits if bits in {p.va_bits for p in layout.PAGINGS} else None
