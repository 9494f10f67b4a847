# SPDX-License-Identifier: GPL-3.0-or-later
"""What the headers of a right dump say of its guest, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ..dumps.base import ByteOrder, Note
from ..dumps.kdump_types import Utsname
from ..notes import packed

VMCOREINFO = "VMCOREINFO"
#: makedumpfile reads some bytes behind the last note, which must be there.
NOTES_MARGIN = 512
NO_UTSNAME = Utsname("", "", "", "", "", "")


class Mapping(NamedTuple):
    """A range of virtual addresses that shows physical memory linearly."""

    vaddr: int
    paddr: int
    size: int


def cut(start: int, end: int, mappings: Sequence[Mapping]) -> Iterator[tuple[int, int]]:
    """A physical range in parts that each mapping covers wholly or not at all."""
    edges = {edge for m in mappings for edge in (m.paddr, m.paddr + m.size) if start < edge < end}
    return pairwise([start, *sorted(edges), end])


def vaddr_of(paddr: int, mappings: Sequence[Mapping]) -> int | None:
    """The virtual address by the first mapping that shows ``paddr``; None if none does."""
    over = (m for m in mappings if m.paddr <= paddr < m.paddr + m.size)
    return next((m.vaddr + paddr - m.paddr for m in over), None)


@dataclass(frozen=True, slots=True)
class Headers:
    """What is written into a dump besides its memory.

    Attributes:
        arch: as :attr:`crashext.dumps.base.Dump.arch` has it.
        byte_order: of the guest, so of headers, notes and page descriptors.
        bits: 32 or 64, the width of its pointers.
        notes: every note, in order: those of the vCPUs first, VMCOREINFO among the others;
            descriptors in ``byte_order``.
        phys_base: the kdump sub-header's, signed; None where it stays as it is, 0 in a new one.
        utsname: of the kernel; all empty where unknown.
        timestamp: seconds and microseconds since 1970, zeros where unknown.
        nr_cpus: how many vCPUs the notes are of.
        page_size: bytes of a kdump's block.
        mappings: what the kernel maps linearly, its image first; for an ELF's p_vaddr. Where two
            show the same memory the first counts.
    """

    arch: str
    byte_order: ByteOrder
    bits: int
    notes: Sequence[Note]
    phys_base: int | None = None
    utsname: Utsname = NO_UTSNAME
    timestamp: tuple[int, int] = (0, 0)
    nr_cpus: int = 0
    page_size: int = 4096
    mappings: Sequence[Mapping] = ()

    def notes_area(self) -> tuple[bytes, range]:
        """All notes as they lie in a file, and where in them VMCOREINFO's text lies.

        The range is empty where there is no such note.
        """
        parts, at, text = [], 0, range(0)
        for note in self.notes:
            raw = packed(note.name, note.type, note.desc, self.byte_order)
            if note.name == VMCOREINFO and not text:
                start = at + 12 + (len(VMCOREINFO) + 4) // 4 * 4
                text = range(start, start + len(note.desc))
            parts.append(raw)
            at += len(raw)
        return b"".join(parts), text
