# SPDX-License-Identifier: GPL-3.0-or-later
"""ppc64le, as :class:`crashext.arch.base.Architecture` asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from ...dumps.base import Note
from ...vmcoreinfo import Vmcoreinfo
from ..base import AddressSpace, Cpu, Evidence, Memory, Paging, Proposal, Search, View
from ..usual import Usual
from . import byte_order, entry, layout
from .paging import LinearMapping, RadixTables, is_hash_tree
from .registers import cpu_states


class Ppc64le(Usual):
    """The descriptor; it has no state."""

    name = "ppc64le"
    #: What order a dump has says nothing of the guest's: see :mod:`.registers`.
    dump_arches: tuple[str, ...] = ("ppc64le", "ppc64")
    image_align = layout.IMAGE_ALIGN
    dense_text: tuple[int, ...] = (layout.DENSE_TEXT,)
    linear = True
    pagings: tuple[Paging, ...] = layout.PAGINGS
    top_tables: tuple[str, ...] = ("swapper_pg_dir",)
    meanings: Mapping[str, str] = MappingProxyType({entry.NAME: entry.MEANING})
    #: arch/powerpc/mm/init_64.c, set by relocate() in head_64.S.
    placements: tuple[str, ...] = ("kernstart_addr",)
    symbols: tuple[str, ...] = ("vmemmap", "__pte_index_size")
    privileged: tuple[str, ...] = (entry.NAME,)
    notes_name_tables = False

    def cpus(self, notes: Sequence[Note]) -> tuple[Cpu, ...]:
        """The vCPUs that have an NT_PRSTATUS note."""
        return cpu_states(notes)

    def turned(self, note: Note) -> Note:
        """See :mod:`byte_order`."""
        return byte_order.turned(note)

    def tables(self, memory: Memory, root: int, paging: Paging, ram_end: int) -> AddressSpace:
        """The kernel's quadrant of the address space."""
        if paging.levels:
            return RadixTables(memory, root, paging)
        return LinearMapping(ram_end if is_hash_tree(memory, root) else 0)

    def is_image_vaddr(self, vaddr: int) -> bool:
        """See :func:`layout.is_image_vaddr`."""
        return layout.is_image_vaddr(vaddr)

    def is_voffset(self, voffset: int, ram_end: int) -> bool:
        """True for the one there is."""
        return voffset == layout.PAGE_OFFSET

    def is_kaslr_offset(self, value: int) -> bool:
        """See :func:`layout.is_kaslr_offset`."""
        return layout.is_kaslr_offset(value)

    def said_voffset(self, info: Vmcoreinfo) -> int | None:
        """No text says it: there is only one."""
        return layout.PAGE_OFFSET

    def said_text(self, info: Vmcoreinfo) -> int | None:
        """``_stext`` is the first of the image (arch/powerpc/kernel/vmlinux.lds.S)."""
        return info.symbol("_stext")

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        """From ``kernstart_addr``."""
        start, place = paddr("_text"), paddr("kernstart_addr")
        value = None if place is None else memory.u64(place)
        return None if value is None or start is None else layout.stored_voffset(value, start)

    def window_starts_image(self, vaddr: int) -> bool:
        """All of RAM is mapped with the image."""
        return False

    def ways(self, search: Search) -> Iterator[Proposal]:
        """The kernel's entry, at physical address 0."""
        return entry.propose(search)

    def checks(self, search: Search, image: View) -> Iterator[Evidence]:
        """The kernel's entry."""
        yield entry.check(search, image)

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        """Those with the page size that the kernel's variable or VMCOREINFO says."""
        vaddr = image.vaddr("__pte_index_size")
        bits = None if vaddr is None else search.memory.u64(image.paddr(vaddr))
        size = layout.PTE_INDEX_SIZES.get(bits or 0)
        if size is None and image.info is not None:
            size = image.info.pagesize
        return tuple(p for p in self.pagings if size in (None, p.page_size)) or self.pagings

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """True while it is empty."""
        table = search.memory.get(root, 4096)
        return table is not None and not any(table)

    def boot_kaslr_offset(self, search: Search, image: View) -> int | None:
        """How far the image is from physical 0, for which it is linked."""
        text = image.text_vaddr
        return None if text is None else text - layout.PAGE_OFFSET

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        """The linear mapping."""
        yield layout.PAGE_OFFSET

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        """``vmemmap``; only the radix MMU maps it by tables that are in memory."""
        vaddr = image.vaddr("vmemmap")
        value = None if vaddr is None else search.memory.u64(image.paddr(vaddr))
        if value:
            yield value
