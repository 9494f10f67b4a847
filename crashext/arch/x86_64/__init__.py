# SPDX-License-Identifier: GPL-3.0-or-later
"""x86_64, as :class:`crashext.arch.base.Architecture` asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from ...dumps.base import Note
from ...text import hex64, signed64
from ...vmcoreinfo import Vmcoreinfo
from ..base import Cpu, Evidence, Memory, Paging, Proposal, Resources, Search, View
from ..usual import Usual
from . import boot_params, idt, layout, padding, state
from .paging import PageTables, encryption_mask
from .registers import cpu_states

_GIB = 1 << 30


class X86_64(Usual):
    """The descriptor; it has no state."""

    name = "x86_64"
    #: A guest stopped in firmware is dumped as i386 even if its kernel is 64-bit.
    #: Raw memory doesn't say what it is.
    dump_arches: tuple[str, ...] = ("x86_64", "i386", "unknown")
    image_align = layout.PMD_SIZE
    dense_text: tuple[int, ...] = layout.DENSE_TEXT
    pagings: tuple[Paging, ...] = (layout.FOUR_LEVELS, layout.FIVE_LEVELS)
    #: init_top_pgt since 4.13, init_level4_pgt before; VMCOREINFO calls it swapper_pg_dir.
    top_tables: tuple[str, ...] = ("init_top_pgt", "init_level4_pgt", "swapper_pg_dir")
    meanings: Mapping[str, str] = MappingProxyType({idt.SOURCE: idt.MEANING})
    #: arch/x86/kernel/head_64.S
    placements: tuple[str, ...] = ("phys_base",)
    image_resources: Resources = layout.IMAGE_RESOURCES
    first_break = ""
    symbols: tuple[str, ...] = (
        *idt.HANDLERS,
        *("idt_table", "boot_params", "__pgtable_l5_enabled", "page_offset_base", "vmemmap_base"),
        *("level3_kernel_pgt", "level4_kernel_pgt"),
    )
    notes_name_tables = True
    said_placements: tuple[str, ...] = ("NUMBER(phys_base)", "NUMBER(pgtable_l5_enabled)")

    def cpus(self, notes: Sequence[Note]) -> tuple[Cpu, ...]:
        """The vCPUs that have a QEMU note."""
        return cpu_states(notes)

    def state_notes(self, states: Sequence[Mapping[str, bytes]]) -> tuple[Note, ...]:
        """See :mod:`.state`."""
        return state.notes(states)

    def tables(self, memory: Memory, root: int, paging: Paging, ram_end: int) -> PageTables:
        """The address space at ``root``, with the C-bit that its entries carry."""
        return PageTables(memory, root, paging.levels, encryption_mask(memory, root, ram_end))

    def is_image_vaddr(self, vaddr: int) -> bool:
        """See :func:`layout.is_image_vaddr`."""
        return layout.is_image_vaddr(vaddr)

    def is_voffset(self, voffset: int, ram_end: int) -> bool:
        """Its phys_base must be one: see :func:`layout.is_phys_base`."""
        return layout.is_phys_base(layout.phys_base_of(voffset), ram_end)

    def is_kaslr_offset(self, value: int) -> bool:
        """See :func:`layout.is_kaslr_offset`."""
        return layout.is_kaslr_offset(value)

    def said_voffset(self, info: Vmcoreinfo) -> int | None:
        """From NUMBER(phys_base): decimal and signed, since 4.10."""
        return None if info.phys_base is None else layout.voffset_of(info.phys_base)

    def said_text(self, info: Vmcoreinfo) -> int | None:
        """``_stext`` lies in the first 2 MiB of the image."""
        stext = info.symbol("_stext")
        return None if stext is None else stext & -self.image_align

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        """From the variable ``phys_base``."""
        place = paddr("phys_base")
        value = None if place is None else memory.u64(place)
        return None if value is None else layout.voffset_of(signed64(value))

    def padding(self, code: bytes) -> int:
        """See :mod:`.padding`."""
        return padding.padding(code)

    def phys_base(self, voffset: int) -> int:
        """See :func:`layout.phys_base_of`."""
        return layout.phys_base_of(voffset)

    def window_starts_image(self, vaddr: int) -> bool:
        """Final tables leave unmapped what lies before _text (head64.c, cleanup_highmap)."""
        return vaddr > layout.START_KERNEL_MAP

    def ways(self, search: Search) -> Iterator[Proposal]:
        """The vCPUs' interrupt tables."""
        return idt.propose(search)

    def checks(self, search: Search, image: View) -> Iterator[Evidence]:
        """The image's own interrupt table."""
        yield idt.check(search, image)

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        """As ``__pgtable_l5_enabled`` says, where it is known."""
        vaddr = image.vaddr("__pgtable_l5_enabled")
        flag = None if vaddr is None else search.memory.get(image.paddr(vaddr), 4)
        return self.pagings[::-1] if flag is not None and any(flag) else self.pagings

    def top_table_unused(self, search: Search, image: View, root: int) -> bool:
        """True for a table that is empty, or as it was linked, phys_base not added yet.

        __startup_64 and x86_64_start_kernel fill it (arch/x86/kernel/head64.c).
        """
        entry = search.memory.u64(root + 511 * 8)
        if not entry:
            return True
        tables = (image.vaddr("level3_kernel_pgt"), image.vaddr("level4_kernel_pgt"))
        linked = [vaddr - layout.START_KERNEL_MAP for vaddr in tables if vaddr is not None]
        moved = layout.phys_base_of(image.voffset) != 0
        return moved and entry & (layout.MAX_PADDR - 1) & ~0xFFF in linked

    def boot_kaslr_offset(self, search: Search, image: View) -> int | None:
        """See :mod:`boot_params`."""
        return boot_params.kaslr_offset(search, image, layout.START_KERNEL_MAP)

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        """``page_offset_base``, a multiple of 1 GiB; without it where it is not moved."""
        return _bases(search, image, "page_offset_base", layout.PAGE_OFFSETS, _GIB)

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        """``vmemmap_base``, likewise."""
        return _bases(search, image, "vmemmap_base", layout.VMEMMAPS, _GIB)

    def vmcoreinfo(self, search: Search, image: View) -> Mapping[str, str]:
        """As arch/x86/kernel/vmcore_info_64.c writes them: phys_base is decimal."""
        lines = dict(super().vmcoreinfo(search, image))
        lines["NUMBER(phys_base)"] = f"{layout.phys_base_of(image.voffset)}"
        if image.paging is not None:
            lines["NUMBER(pgtable_l5_enabled)"] = f"{int(image.paging == layout.FIVE_LEVELS)}"
        return lines

    def dumped_phys_base(self, search: Search, image: View) -> int | None:
        """phys_base itself: makedumpfile reads it of a kdump."""
        return layout.phys_base_of(image.voffset)

    def crash_args(self, search: Search, image: View) -> tuple[str, ...]:
        """The KASLR offset and phys_base."""
        if image.kaslr_offset is None:
            return ()
        phys_base = hex64(layout.phys_base_of(image.voffset))
        return (f"--kaslr={image.kaslr_offset:#x}", "--machdep", f"phys_base={phys_base}")


def _bases(
    search: Search, image: View, name: str, constants: tuple[int, ...], align: int
) -> Iterator[int]:
    vaddr = image.vaddr(name)
    value = None if vaddr is None else search.memory.u64(image.paddr(vaddr))
    if value is not None and value >> 56 == 0xFF and value % align == 0:
        yield value
    elif value is None:
        yield from constants
