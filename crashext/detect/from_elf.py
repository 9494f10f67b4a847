# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces of the writer in the headers of an ELF core.

QEMU: dump/dump.c, ``prepare_elf64_ehdr``, ``write_elf64_load``. The kernel's
/proc/vmcore: ``crash_prepare_elf64_headers`` in kernel/kexec_file.c, and kexec-tools.
"""

from __future__ import annotations

from itertools import islice

from ..arch import architecture_of
from ..dumps.base import Dump
from ..dumps.elf import ElfDump
from ..dumps.elf_types import PT_LOAD, Segment
from ..text import counted
from .result import Evidence

#: Segments looked at; a dump with paging=true has one per mapping.
_MAX_SEGMENTS = 4096
#: QEMU 7.2 and later put two section headers (null, .shstrtab) before the program headers.
_QEMU_PHOFF = {64: 64 + 2 * 64, 32: 52 + 2 * 40}
_QEMU_SHORT = 2
_EHSIZE = {64: 64, 32: 52}


def loads(dump: ElfDump) -> list[Segment]:
    """The first PT_LOADs."""
    return list(islice((s for s in dump.header.segments if s.p_type == PT_LOAD), _MAX_SEGMENTS))


def flags(dump: ElfDump) -> Evidence | None:
    """QEMU leaves p_flags and p_align 0; the kernel marks its segments RWX."""
    found = loads(dump)
    if not found:
        return None
    if not any(s.p_flags or s.p_align for s in found):
        return Evidence("segment_flags", "p_flags and p_align are 0", "qemu", "strong")
    if all(s.p_flags for s in found):
        return Evidence("segment_flags", f"p_flags {found[0].p_flags:#x}", "kdump", "strong")
    return None


def layout(dump: ElfDump) -> Evidence | None:
    """Section headers stand before the program headers in QEMU's files since 7.2."""
    header = dump.header
    value = f"e_phoff {header.e_phoff}, e_shnum {header.e_shnum}"
    if header.e_shnum == 2 and header.e_phoff == _QEMU_PHOFF[header.bits]:
        return Evidence("header_layout", value, "qemu", "medium")
    return None


def header_size(dump: ElfDump) -> Evidence | None:
    """QEMU 7.2 and later write the size of a pointer as e_ehsize."""
    size = dump.header.e_ehsize
    if size != 8 or size == _EHSIZE[dump.header.bits]:
        return None
    return Evidence("e_ehsize", str(size), "qemu", "strong")


def kernel_mapping(dump: ElfDump) -> Evidence | None:
    """/proc/vmcore has a segment for the kernel image at its virtual address."""
    arch = architecture_of(dump.arch)
    if arch is None or not any(s.p_flags and arch.is_image_vaddr(s.p_vaddr) for s in loads(dump)):
        return None
    return Evidence("kernel_segment", "a PT_LOAD maps the kernel image", "kdump", "strong")


def filtered(dump: ElfDump) -> Evidence | None:
    """makedumpfile -E cuts segments short at every stretch of pages that it left out.

    QEMU's begin and length cut two at most, and mark what lies outside as absent.
    makedumpfile writes an ELF header of its own, without sections.
    """
    if layout(dump) or header_size(dump):
        return None
    found = loads(dump)
    short = sum(s.p_filesz < s.p_memsz and s.p_offset != dump.header.absent for s in found)
    if short <= _QEMU_SHORT:
        return None
    value = f"cut short: {short} of {counted(len(found), 'segment')}"
    return Evidence("left_out", value, "makedumpfile", "decisive")


_CHECKS = (flags, layout, header_size, kernel_mapping, filtered)


def evidence(dump: Dump) -> list[Evidence]:
    """What the headers of an ELF core tell; nothing for another format."""
    if not isinstance(dump, ElfDump):
        return []
    return [found for check in _CHECKS if (found := check(dump)) is not None]
