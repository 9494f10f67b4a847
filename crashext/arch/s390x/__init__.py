# SPDX-License-Identifier: GPL-3.0-or-later
"""s390x, as :class:`crashext.arch.base.Architecture` asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from ...dumps.base import ByteOrder, Note
from ...vmcoreinfo import Vmcoreinfo
from ..base import Cpu, Evidence, Memory, Paging, Proposal, Resources, Search, View
from ..usual import Usual
from . import layout, lowcore
from .paging import PageTables
from .registers import cpu_states


class S390x(Usual):
    """The descriptor; it has no state."""

    name = "s390x"
    dump_arches: tuple[str, ...] = ("s390x",)
    byte_order: ByteOrder = "big"
    image_align = layout.IMAGE_ALIGN
    pagings: tuple[Paging, ...] = layout.KERNEL_PAGINGS
    top_tables: tuple[str, ...] = ("swapper_pg_dir",)
    meanings: Mapping[str, str] = MappingProxyType({lowcore.SOURCE: lowcore.MEANING})
    #: struct vm_layout since 6.10, which starts with what was a variable before; both are
    #: set by the boot code (arch/s390/boot/startup.c).
    placements: tuple[str, ...] = ("vm_layout", "__kaslr_offset")
    image_resources: Resources = layout.IMAGE_RESOURCES
    symbols: tuple[str, ...] = ("vmemmap",)
    privileged: tuple[str, ...] = (lowcore.SOURCE,)
    notes_name_tables = True

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
        """See :func:`layout.said_voffset`."""
        return layout.said_voffset(info)

    def said_text(self, info: Vmcoreinfo) -> int | None:
        """``_stext`` is the first of the image (arch/s390/kernel/vmlinux.lds.S)."""
        return info.symbol("_stext")

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        """From the KASLR offset: it tells where ``_text`` is mapped."""
        start = paddr("_text")
        place = next((p for name in self.placements if (p := paddr(name)) is not None), None)
        value = None if place is None else memory.u64(place)
        return None if value is None or start is None else layout.stored_voffset(value, start)

    def ways(self, search: Search) -> Iterator[Proposal]:
        """The lowcore."""
        proposal = lowcore.propose(search)
        if proposal is not None:
            yield proposal

    def checks(self, search: Search, image: View) -> Iterator[Evidence]:
        """The lowcore."""
        yield lowcore.check(search, image)

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        """Nothing but the tables tells."""
        return self.pagings

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """True while it is empty: the boot code fills it."""
        table = search.memory.get(root, layout.PAGE_SIZE)
        return table is not None and not any(table)

    def boot_kaslr_offset(self, search: Search, image: View) -> int | None:
        """As the kernel's own variable has it: the boot code wrote it there."""
        vaddr = image.vaddr(*self.placements)
        value = None if vaddr is None else search.memory.u64(image.paddr(vaddr))
        return value if value is not None and layout.is_kaslr_offset(value) else None

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        """The identity mapping, which 6.10 and later may place elsewhere."""
        vaddr = image.vaddr("vm_layout")
        stored = None if vaddr is None else search.memory.u64(image.paddr(vaddr) + 16)
        said = None if image.info is None else image.info.integer("IDENTITYBASE")
        yield from dict.fromkeys(base for base in (stored, said, 0) if base is not None)

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        """``vmemmap``: a variable, of which VMCOREINFO has the value."""
        said = None if image.info is None else image.info.symbol("vmemmap")
        if said is not None:
            yield said
        vaddr = image.vaddr("vmemmap")
        value = None if vaddr is None else search.memory.u64(image.paddr(vaddr))
        if value:
            yield value
