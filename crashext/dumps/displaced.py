# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF dumps whose memory does not lie where their program headers say.

QEMU lays the file out before it writes it, and reckons that each vCPU's notes are as long
as the first one's (dump.c, target/arm/arch_dump.c: ``cpu_get_note_size``). With SVE they
are not: a vCPU that was never started has shorter ones. The memory follows the notes as
they were written, so all of it is displaced, by as much as the file is too short or long.
"""

from __future__ import annotations

from ..notes import walk_notes
from .elf_types import PT_LOAD, PT_NOTE, ElfHeader, Segment, section_ends
from .source import Source

#: A guest that can be affected has a few pieces of RAM.
_SEGMENTS = 64
#: What the notes of one vCPU can differ by is some 8 KiB; QEMU's largest guest has 512.
_MOST = 8 << 20


def displacement(source: Source, header: ElfHeader) -> int:
    """By how many bytes the memory comes earlier in the file than the headers say.

    0 unless notes and end of the file both say so: the notes must end exactly where the
    memory then begins.
    """
    if header.e_phnum > _SEGMENTS:
        return 0
    notes = [s for s in header.segments if s.p_type == PT_NOTE]
    if len(notes) != 1:
        return 0
    loads = [
        (s.p_offset, s.p_offset + s.p_filesz)
        for s in header.segments
        if s.p_type == PT_LOAD and s.p_offset != header.absent
    ]
    first = min((start for start, _ in loads), default=0)
    end = max((*(end for _, end in loads), *section_ends(source, header)), default=0)
    early = end - source.size
    if not early or abs(early) > _MOST or first != notes[0].p_offset + notes[0].p_filesz:
        return 0
    size = notes[0].p_filesz
    as_reckoned = _notes_end_at(source, header, notes[0], size)
    return early if not as_reckoned and _notes_end_at(source, header, notes[0], size - early) else 0


def _notes_end_at(source: Source, header: ElfHeader, segment: Segment, size: int) -> bool:
    """Whether the notes of ``segment`` take just ``size`` bytes."""
    if not 0 < size <= _MOST:
        return False
    data = source.pread(segment.p_offset, size)
    found = walk_notes(data, header.byte_order, segment.p_offset)
    if not found:
        return False
    last = found[-1]
    name, desc = len(last.name.encode("utf-8", "surrogateescape")) + 1, len(last.desc)
    return last.offset + 12 + (name + 3 & ~3) + (desc + 3 & ~3) == segment.p_offset + size
