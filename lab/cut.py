# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut a real dump down to a small valid one: its headers, notes, RAM layout and few pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from crashext import open_dump
from crashext.arch import ARCHITECTURES
from crashext.dumps.base import Dump
from crashext.locate import locate
from crashext.locate.image.body import fixed_spots
from crashext.symbols.vmlinux import Vmlinux

from .elf_format import MACHINES, ElfFormat
from .elf_writer import Segment, write_core
from .errors import LabError
from .kdump_writer import KdumpFacts, write_kdump
from .recorder import PAGE, read_page, touched_pages
from .vmlinux_writer import FullVmlinux, write_vmlinux

# Variables that checks of any architecture look at.
_OF_ARCHITECTURES = tuple(
    name
    for arch in ARCHITECTURES
    for name in (*arch.start_symbols, *arch.top_tables, *arch.placements, *arch.symbols)
)
# Symbols that checks of the search may ask for, today's names and older ones.
SYMBOLS = (
    *_OF_ARCHITECTURES,
    *("_text", "_stext", "_etext", "_end", "linux_banner", "init_uts_ns", "phys_base"),
    *("init_top_pgt", "init_level4_pgt", "swapper_pg_dir", "__pgtable_l5_enabled"),
    *("page_offset_base", "vmalloc_base", "vmemmap_base", "idt_table", "vmcoreinfo_data"),
    *("vmcoreinfo_note", "vmcoreinfo_size", "asm_exc_divide_error", "divide_error"),
    *("early_idt_handler_array", "saved_command_line", "boot_params", "elfcorehdr_addr"),
    *(
        "__start_rodata",
        "__end_rodata",
        "__start_notes",
        "__stop_notes",
        "__per_cpu_start",
        "__per_cpu_end",
        "__per_cpu_offset",
    ),
    *("init_task", "node_online_map", "kallsyms_names", "kallsyms_num_syms"),
    *("kallsyms_token_table", "kallsyms_token_index", "kallsyms_offsets"),
    *("level2_kernel_pgt", "level3_kernel_pgt", "level4_kernel_pgt", "system_state", "panic_cpu"),
    *("early_top_pgt", "early_level4_pgt", "level4_kernel_pgt", "level3_kernel_pgt"),
    *("level2_kernel_pgt", "early_dynamic_pgts", "initial_code", "trampoline_pgd_entry"),
    *("system_state", "panic_cpu", "crashing_cpu", "tainted_mask", "panic_on_oops"),
    *("boot_command_line", "kexec_crash_image", "crashk_res", "init_mm", "modules"),
    *("kallsyms_relative_base", "secondary_startup_64", "startup_64", "sme_me_mask", "efi_mm"),
)
# Of these the memory is kept too: what a check, or crash at its start, reads.
_VARIABLES = (
    *_OF_ARCHITECTURES,
    *("linux_banner", "init_uts_ns", "phys_base", "init_top_pgt", "__pgtable_l5_enabled"),
    *("page_offset_base", "vmalloc_base", "vmemmap_base", "idt_table", "vmcoreinfo_data"),
    *("saved_command_line", "boot_params", "elfcorehdr_addr", "__start_notes", "sme_me_mask"),
    *("level4_kernel_pgt", "level3_kernel_pgt", "level2_kernel_pgt", "early_top_pgt"),
    *("system_state", "panic_cpu", "crashing_cpu", "crashk_res"),
)
_KALLSYMS = (
    "kallsyms_offsets",
    "kallsyms_markers",
    "kallsyms_token_table",
    "kallsyms_token_index",
)
_PT_LOAD = 1
_QEMU_SECTION_HEADERS_SINCE = 192  # e_phoff where QEMU >= 7.2 put them in between


def cut(
    source: Path,
    vmlinuxes: Sequence[Path],
    out: Path,
    *,
    stand_ins: Sequence[Path] = (),
    ram_below: int | None = None,
    kallsyms: bool = False,
) -> int:
    """Write the cut dump to ``out``, whose suffix says the container; return its size.

    Args:
        source: an ELF or a kdump; an ELF can be cut to an ELF only.
        vmlinuxes: those of the kernels that may be in the dump.
        stand_ins: the small ones that the result will be searched with, if others.
        ram_below: leave out what lies at this address and above.
        kallsyms: keep the kernel's own symbol table too (2 MiB in a distribution's kernel).

    Raises:
        LabError: ``source`` can't be cut to what ``out`` is named.
        crashext.errors.CrashExtError: the dump or a vmlinux can't be used.
    """
    with open_dump(str(source)) as dump:
        wanted = touched_pages(dump, stand_ins or vmlinuxes)
        for vmlinux in vmlinuxes:
            wanted |= variables(dump, vmlinux, kallsyms)
        pages = {paddr: page for paddr in wanted if (page := read_page(dump, paddr))}
        out.unlink(missing_ok=True)
        _write(dump, pages, out, ram_below or 1 << 64)
    return out.stat().st_size


def shrink(vmlinux: Path, out: Path) -> int:
    """Write the small stand-in for a vmlinux; return its size."""
    full = FullVmlinux(vmlinux)
    with Vmlinux(str(vmlinux)) as opened:
        pages = {*fixed_spots(opened), *_of_placements(full)}
    write_vmlinux(full, SYMBOLS, out, sorted(pages))
    return out.stat().st_size


def _of_placements(full: FullVmlinux) -> Iterator[int]:
    """The pages that hold the placement as linked: by it a copy that never ran is known."""
    names = {name for arch in ARCHITECTURES for name in arch.placements}
    pages = {symbol.value & -PAGE for symbol in full.symbols(names)}
    return (page for page in pages if full.read(page, PAGE))


def variables(dump: Dump, vmlinux: Path, kallsyms: bool = False) -> set[int]:
    """The pages that hold the kernel's own variables, wherever it was found to be."""
    found = locate(dump, vmlinux=str(vmlinux))
    if found.text_vaddr is None or found.text_paddr is None or found.kaslr_offset is None:
        return set()
    move = found.text_paddr - (found.text_vaddr - found.kaslr_offset)
    full = FullVmlinux(vmlinux)
    addresses = {symbol.value for symbol in full.symbols(_VARIABLES)}
    if kallsyms:
        at = {symbol.name: symbol.value for symbol in full.symbols(_KALLSYMS)}
        # In between lies an index by name, which takes much room and is not needed to decode.
        for start, end in ((_KALLSYMS[0], _KALLSYMS[1]), (_KALLSYMS[2], _KALLSYMS[3])):
            addresses |= {*range(at[start], at[end] + 512, 512)}
    return {(address + move) // PAGE * PAGE for address in addresses}


def _write(dump: Dump, pages: dict[int, bytes], out: Path, ram_below: int) -> None:
    blocks = dump.page_size if dump.format == "kdump" and out.suffix != ".elf" else PAGE
    if dump.format not in _KINDS.get(out.suffix, ()) or blocks != PAGE:
        raise LabError(f"{out}: a dump that is {dump.format} can't be cut to {out.suffix}")
    pages = {paddr: page for paddr, page in pages.items() if paddr < ram_below}
    with out.open("wb") as file:
        if out.suffix == ".elf":
            write_core(
                file,
                _elf(dump),
                notes=_notes(dump),
                segments=list(_segments(dump, ram_below)),
                pages=pages,
                section_headers=_has_section_headers(dump),
            )
        else:
            ram = [(r.start, min(r.end, ram_below)) for r in dump.ram if r.start < ram_below]
            write_kdump(file, _facts(dump), ram=ram, pages=pages, flattened=out.suffix == ".flat")


_KINDS = {".elf": ("elf", "kdump"), ".kdump": ("kdump",), ".flat": ("kdump",)}


def _has_section_headers(dump: Dump) -> bool:
    return dump.format == "kdump" or dump.header.e_phoff == _QEMU_SECTION_HEADERS_SINCE


def _segments(dump: Dump, ram_below: int) -> Iterator[Segment]:
    """The dump's own segments; those that QEMU would have written where it is a kdump."""
    if dump.format == "kdump":
        for start, end in dump.ram:
            if start < ram_below:
                yield Segment(start, min(end, ram_below), start)
        return
    for load in dump.header.segments:
        if load.p_type == _PT_LOAD and load.p_paddr < ram_below:
            end = min(load.p_paddr + load.p_memsz, ram_below)
            yield Segment(load.p_paddr, end, load.p_vaddr, load.p_flags)


def _elf(dump: Dump) -> ElfFormat:
    return ElfFormat(MACHINES[dump.arch], dump.byte_order)


def _notes(dump: Dump) -> bytes:
    return b"".join(_elf(dump).note(note.name, note.type, note.desc) for note in dump.notes)


def _facts(dump: Dump) -> KdumpFacts:
    """What the source's headers say, to be said again."""
    header: Any = dump.header
    names = ("sysname", "nodename", "release", "version", "machine", "domainname")
    return KdumpFacts(
        byte_order=dump.byte_order,
        utsname={name: getattr(header.utsname, name) for name in names},
        timestamp=header.timestamp,
        status=header.status,
        nr_cpus=header.nr_cpus,
        phys_base=header.phys_base,
        dump_level=header.dump_level,
        notes=_notes(dump),
        vmcoreinfo=_vmcoreinfo_place(dump) if header.size_vmcoreinfo else (0, 0),
    )


def _vmcoreinfo_place(dump: Dump) -> tuple[int, int]:
    """Where, in the notes as we pack them, the VMCOREINFO text lies."""
    at = 0
    for note in dump.notes:
        packed = _elf(dump).note(note.name, note.type, note.desc)
        if note.name == "VMCOREINFO":
            return at + packed.index(note.desc), len(note.desc)
        at += len(packed)
    return 0, 0
