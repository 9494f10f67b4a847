# SPDX-License-Identifier: GPL-3.0-or-later
"""Mending an ELF core: its headers anew, with the notes between them and the memory.

All of it stands before the memory, as every tool expects. The first bytes of memory give way
where there is too little room: they go behind the file's end, and a program header tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..dumps.elf import ElfDump
from ..dumps.elf_types import PT_LOAD, PT_NOTE, ElfHeader, Segment
from ..errors import RepairError
from ..text import counted, hex64
from .change import Change
from .elf_layout import Core, header_size, pack
from .headers import NOTES_MARGIN, Headers, Mapping, cut, vaddr_of
from .overlay import Patch

_PAGE = 4096
_MOST_MOVED = 64 << 20  # bytes: more than any headers need
_EHSIZE = {32: 52, 64: 64}
_SHOWN = 4


def mend(dump: ElfDump, headers: Headers) -> tuple[list[Change], list[Patch]]:
    """What to change in the dump's file that it says what ``headers`` say.

    Raises:
        RepairError: the headers don't fit into the file.
    """
    old = dump.header
    core = Core(old.bits, headers.byte_order, old.e_machine, old.osabi, old.e_flags)
    placed = [_undisplaced(s, dump.displaced, old.absent) for s in old.segments]
    loads = [s for s in placed if s.p_type != PT_NOTE]
    wanted = _with_vaddrs(loads, headers.mappings, old)
    changes = [*_header_changes(dump, headers), *_vaddr_changes(loads, wanted)]
    area, _ = headers.notes_area()
    if not changes and _notes_are(dump, area):
        return [], []
    wanted, moved, size = _with_room(dump, core, wanted, area)
    if moved:
        what = f"{counted(len(moved), 'part')} of memory at the file's start"
        new = f"behind its end, from {hex64(moved[0].offset)} on"
        changes.append(Change(what, "before it", new, "room for the notes", layout=True))
    place = header_size(core, len(wanted) + 1)
    start = pack(core, wanted, len(wanted), (place, len(area))) + area
    return changes, [*moved, Patch(0, start.ljust(size, b"\0"))]


def _undisplaced(segment: Segment, early: int, absent: int) -> Segment:
    if segment.p_type != PT_LOAD or segment.p_offset == absent:
        return segment
    return segment._replace(p_offset=segment.p_offset - early)


def _notes_are(dump: ElfDump, area: bytes) -> bool:
    """Whether one segment has the notes already, byte for byte."""
    found = [s for s in dump.header.segments if s.p_type == PT_NOTE]
    return len(found) == 1 and (
        found[0].p_filesz == len(area)
        and dump.source.pread(found[0].p_offset, found[0].p_filesz) == area
    )


def _header_changes(dump: ElfDump, headers: Headers) -> Iterator[Change]:
    header = dump.header
    usual = _EHSIZE[header.bits]
    if header.byte_order != headers.byte_order:
        why = "the guest's; tools take the file's for it"
        yield Change("byte order of the headers", header.byte_order, headers.byte_order, why)
    if header.e_ehsize != usual:
        why = "the size of the header; QEMU writes that of a pointer"
        yield Change("e_ehsize", f"{header.e_ehsize}", f"{usual}", why)
    if header.e_phoff != usual:
        why = "makedumpfile takes for granted that they follow the ELF header"
        yield Change("e_phoff", f"{header.e_phoff}", f"{usual}", why)
    if dump.displaced:
        why = "QEMU wrote other notes than it had reckoned with"
        old, new = "displaced", f"{abs(dump.displaced)} bytes nearer to what they mean"
        yield Change("p_offset of the memory", old, new, why)


# -- virtual addresses


def _with_vaddrs(
    loads: Sequence[Segment], mappings: Sequence[Mapping], header: ElfHeader
) -> list[Segment]:
    """The segments with the kernel's virtual addresses, cut where its image begins and ends.

    No memory is in two of them, as it is in /proc/vmcore: not all tools cope with that. Where
    the dump has virtual addresses already (paging=true, /proc/vmcore) they stay.
    """
    if not mappings or not all(s.p_vaddr in (0, s.p_paddr) for s in loads if s.p_type == PT_LOAD):
        return list(loads)
    return [part for load in loads for part in _shown(load, mappings, header)]


def _shown(load: Segment, mappings: Sequence[Mapping], header: ElfHeader) -> Iterator[Segment]:
    """A segment in parts that each mapping covers wholly or not at all, at their addresses.

    What none shows is at 0: makedumpfile takes p_paddr for where the direct map starts.
    """
    size, top = max(load.p_filesz, load.p_memsz), (1 << header.bits) - 1
    if load.p_type != PT_LOAD or load.p_offset == header.absent or not size:
        yield load
        return
    for start, end in cut(load.p_paddr, load.p_paddr + size, mappings):
        into, vaddr = start - load.p_paddr, vaddr_of(start, mappings)
        stored = max(min(load.p_filesz - into, end - start), 0)
        yield load._replace(
            p_offset=load.p_offset + into if stored else load.p_offset,
            p_vaddr=(vaddr or 0) & top,
            p_paddr=start,
            p_filesz=stored,
            p_memsz=end - start,
        )


def _vaddr_changes(old: Sequence[Segment], new: Sequence[Segment]) -> Iterator[Change]:
    if list(old) == list(new):
        return
    images = [s for s in new if s.p_vaddr != s.p_paddr]
    first = old[0].p_vaddr if old else 0
    why = "gdb reads memory by these; the kernel's own tables say so"
    what = f"p_vaddr of {counted(len(images), 'segment')}, which were {len(old)}"
    shown = ", ".join(f"{hex64(s.p_paddr)} at {hex64(s.p_vaddr)}" for s in images[:_SHOWN])
    more = ", ..." if len(images) > _SHOWN else ""
    yield Change(what, hex64(first), shown + more, why)


# -- room


def _with_room(
    dump: ElfDump, core: Core, segments: list[Segment], area: bytes
) -> tuple[list[Segment], list[Patch], int]:
    """The segments, patches that move memory out of the headers' way, and the headers' size.

    Memory is cut at page boundaries; each cut adds a segment, which makes the headers longer.
    """
    cuts = 0
    while True:
        size = header_size(core, len(segments) + cuts + 1) + len(area) + NOTES_MARGIN
        in_way = {s for s in segments if _is_stored(s, dump.header) and s.p_offset < size}
        if len(in_way) <= cuts:
            break
        cuts = len(in_way)
    if size > _MOST_MOVED:
        raise RepairError(f"headers and notes of {size} bytes: write a new file (-o)")
    kept: list[Segment] = []
    moved: list[Patch] = []
    end = behind = -(-dump.source.size // _PAGE) * _PAGE
    places: dict[tuple[int, int], int] = {}
    for segment in segments:
        if segment not in in_way:
            kept.append(segment)
            continue
        head, tail = _cut(segment, size)
        key = head.p_offset, head.p_filesz
        if key not in places:
            if end - behind + head.p_filesz > _MOST_MOVED:
                raise RepairError("too much memory before the headers' end: write a new file (-o)")
            places[key] = end
            moved.append(Patch(end, dump.source.exactly(*key, "memory")))
            end += -(-head.p_filesz // _PAGE) * _PAGE
        kept.append(head._replace(p_offset=places[key]))
        kept += tail
    return kept, moved, size


def _is_stored(segment: Segment, header: ElfHeader) -> bool:
    return segment.p_type == PT_LOAD and segment.p_filesz > 0 and segment.p_offset != header.absent


def _cut(segment: Segment, end: int) -> tuple[Segment, list[Segment]]:
    """The part that begins before ``end`` of the file, in whole pages, and the rest."""
    first = -(-(end - segment.p_offset) // _PAGE) * _PAGE
    if first >= segment.p_filesz:
        return segment, []
    head = segment._replace(p_filesz=first, p_memsz=first)
    tail = segment._replace(
        p_offset=segment.p_offset + first,
        p_vaddr=segment.p_vaddr + first,
        p_paddr=segment.p_paddr + first,
        p_filesz=segment.p_filesz - first,
        p_memsz=segment.p_memsz - first,
    )
    return head, [tail]
