# SPDX-License-Identifier: GPL-3.0-or-later
"""i386, as :class:`crashext.arch.base.Architecture` asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...dumps.base import Note
from ...vmcoreinfo import Vmcoreinfo
from ..base import Cpu, Memory, Paging, Resources, Search, View
from ..usual import Usual
from ..x86_64 import boot_params
from ..x86_64.layout import IMAGE_RESOURCES
from . import layout
from .paging import PageTables
from .registers import cpu_states


class I386(Usual):
    """The descriptor; it has no state."""

    name = "i386"
    #: Of a dump that says so the kernel may be 64-bit all the same: see x86_64.
    dump_arches: tuple[str, ...] = ("i386", "unknown")
    word = 4
    image_align = layout.IMAGE_ALIGN
    direct_map_most = layout.LOW_MEMORY
    pagings: tuple[Paging, ...] = (layout.PAE, layout.NO_PAE)
    #: Without PAE initial_page_table is the one that secondary CPUs start on.
    top_tables: tuple[str, ...] = ("swapper_pg_dir",)
    #: The end of the direct map and of the page frames in it (arch/x86/mm/init_32.c).
    placements: tuple[str, ...] = ("high_memory", "max_low_pfn")
    image_resources: Resources = IMAGE_RESOURCES
    first_break = ""
    symbols: tuple[str, ...] = ("boot_params", "mem_map")
    notes_name_tables = True

    def cpus(self, notes: Sequence[Note]) -> tuple[Cpu, ...]:
        """The vCPUs that have a QEMU note."""
        return cpu_states(notes)

    def tables(self, memory: Memory, root: int, paging: Paging, ram_end: int) -> PageTables:
        """The address space at ``root``."""
        return PageTables(memory, root, paging)

    def is_image_vaddr(self, vaddr: int) -> bool:
        """See :func:`layout.is_image_vaddr`."""
        return layout.is_image_vaddr(vaddr)

    def is_voffset(self, voffset: int, ram_end: int) -> bool:
        """It is PAGE_OFFSET, wherever the image lies."""
        return voffset in layout.PAGE_OFFSETS

    def is_kaslr_offset(self, value: int) -> bool:
        """See :func:`layout.is_kaslr_offset`."""
        return layout.is_kaslr_offset(value)

    def said_voffset(self, info: Vmcoreinfo) -> int | None:
        """PAGE_OFFSET as ``_stext`` lets guess: no number states it, page tables have to."""
        stext = info.symbol("_stext")
        return None if stext is None else layout.page_offset_of(stext)

    def said_text(self, info: Vmcoreinfo) -> int | None:
        """``_stext`` lies in the first 2 MiB of the image."""
        stext = info.symbol("_stext")
        return None if stext is None else stext & -self.image_align

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        """``high_memory`` is the direct map's address of the frame ``max_low_pfn``."""
        places = [paddr(name) for name in self.placements]
        end, frames = (None if place is None else memory.u32(place) for place in places)
        return end - frames * layout.PAGE_SIZE if end and frames else None

    def window_starts_image(self, vaddr: int) -> bool:
        """Before the text is write-protected, all of the direct map looks alike."""
        return vaddr not in layout.PAGE_OFFSETS

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        """As the kernel was built (CONFIG_X86_PAE), where VMCOREINFO tells."""
        if image.info is None:
            return self.pagings
        return (layout.PAE,) if "CONFIG(X86_PAE)" in image.info.values else (layout.NO_PAE,)

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """True until ``initial_page_table`` was copied there (setup_arch)."""
        table = search.memory.get(root, layout.PAGE_SIZE)
        return table is not None and not any(table)

    def boot_kaslr_offset(self, search: Search, image: View) -> int | None:
        """See :mod:`crashext.arch.x86_64.boot_params`."""
        return boot_params.kaslr_offset(search, image, image.voffset)

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        """PAGE_OFFSET, which the image itself is placed by."""
        yield image.voffset

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        """``mem_map``, where it is one array (FLATMEM)."""
        vaddr = image.vaddr("mem_map")
        value = None if vaddr is None else search.memory.u32(image.paddr(vaddr))
        if value:
            yield value

    def crash_args(self, search: Search, image: View) -> tuple[str, ...]:
        """The KASLR offset and PAGE_OFFSET.

        Without the latter crash takes it to be ``_stext`` rounded down to 32 MiB, which it is
        not of a kernel that was moved (x86_init, crash x86.c).
        """
        offset = image.kaslr_offset
        if offset is None:
            return ()
        moved = (f"--kaslr={offset:#x}",) if offset else ()
        return (*moved, "--machdep", f"page_offset={image.voffset:#x}")
