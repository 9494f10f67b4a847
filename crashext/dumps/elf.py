# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF core dumps of a guest's (or a machine's) physical memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from ..errors import CorruptDump, ExcludedPage, MissingMemory, TruncatedPage, UnsupportedDump
from ..notes import note_named, walk_notes
from ..text import printable
from .base import Dump, Note, Range
from .elf_types import MAGIC, PT_LOAD, PT_NOTE, ElfHeader, Segment, read_header
from .intervals import Piece, PieceMap, union
from .source import Source

_MAX_NOTES = 1 << 26
_CHUNK = 1 << 20
_LIMIT = 1 << 64
# Described memory may exceed the file by this factor (filtered or cut off), or
# reach this size in any case; beyond that the headers are nonsense.
_MOST_SPARSE = 1024
_ALWAYS_BELIEVED = 1 << 40

_NT_PRPSINFO, _NT_AUXV, _NT_FILE = 3, 6, 0x46494C45
_QEMU_CORE_ADVICE = (
    "to get the guest out of a core of QEMU, load it in gdb and use "
    "QEMU's scripts/dump-guest-memory.py"
)
# Names of notes by which other programs' cores are known, and what those are.
_FOREIGN = {
    "Xen": "a Xen core dump (note Xen)",
    "XEN CORE": "a Xen core dump (note XEN CORE)",
    ".note.Xen": "a Xen core dump (note .note.Xen)",
    "VBCORE": "a VirtualBox core dump (note VBCORE)",
}


class ElfDump(Dump):
    """One guest's memory in an ELF core."""

    format = "elf"
    page_size = 4096
    header: ElfHeader

    def __init__(self, source: Source) -> None:
        """Read the headers and notes.

        Raises:
            CorruptDump: they contradict themselves or the file.
            UnsupportedDump: an ELF, but not a dump of a guest.
        """
        self._source = source
        self.path = source.path
        self.flattened = source.flattened
        self.complete = source.complete
        self.warnings = source.warnings
        self.header = read_header(source)
        self.byte_order = self.header.byte_order
        self.arch = self.header.arch
        self.notes = self._read_notes()
        self._refuse_foreign()
        note = note_named(self.notes, "VMCOREINFO")
        self.vmcoreinfo = (note.desc.strip(b"\0") or None) if note else None
        self._read_segments()

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory, from the segments."""
        piece = self._pieces.at(paddr)
        if piece and 0 <= size <= piece.end - paddr:
            return self._stored(piece, paddr, size)
        parts = []
        end = paddr + size
        while paddr < end:
            piece = self._pieces.at(paddr)
            if piece is None:
                raise self._missing(paddr)
            parts.append(self._stored(piece, paddr, min(end, piece.end) - paddr))
            paddr += len(parts[-1])
        return b"".join(parts)

    @cached_property
    def stored(self) -> tuple[Range, ...]:
        """What the segments have in the file, see :attr:`Dump.stored`."""
        return union(Range(start, start + size) for start, _, size in self._extents())

    def _extents(self) -> Iterator[tuple[int, int, int]]:
        """Address, place in the file and size of stored memory, cut off where the file ends."""
        for piece in self._pieces:
            size = min(piece.end - piece.start, self._source.size - piece.place)
            if size > 0:
                yield piece.start, piece.place, size

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every stored 4 KiB page, see :meth:`Dump.page_heads`."""
        step = self.page_size
        size = min(size, step)
        for start, place, length in self._parts():
            chunk = self._source.pread(place, length)
            for at in range(0, len(chunk) - size + 1, step):
                yield start + at, chunk[at : at + size]

    def pages_with(
        self,
        marks: Sequence[tuple[int, bytes]],
        *,
        stored: range | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Addresses of the pages that hold a mark, see :meth:`Dump.pages_with`."""
        from .marks import in_chunk, spread

        def search(part: tuple[int, int, int]) -> tuple[int, list[int]]:
            start, place, size = part
            chunk = self._source.pread(place, size)
            return start, [start + at for at in in_chunk(chunk, self.page_size, marks)]

        end = max((r.end for r in self.ram), default=1)
        for count, (start, found) in enumerate(spread(search, self._parts())):
            if progress is not None and count % 64 == 0:
                progress(start / end)
            yield from found

    def _parts(self) -> Iterator[tuple[int, int, int]]:
        """Stored memory from page boundaries on: address, place in the file, size."""
        for first, place, size in self._extents():
            skip = -first % self.page_size
            for at in range(skip, size, _CHUNK):
                yield first + at, place + at, min(_CHUNK, size - at)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _stored(self, piece: Piece, paddr: int, size: int) -> bytes:
        data = self._source.pread(piece.place + paddr - piece.start, size)
        if len(data) < size:
            raise TruncatedPage(paddr=paddr + len(data), path=self.path)
        return data

    def _missing(self, paddr: int) -> MissingMemory:
        described = any(start <= paddr < end for start, end in self.ram)
        return (ExcludedPage if described else MissingMemory)(paddr=paddr, path=self.path)

    # -- opening

    def _read_notes(self) -> tuple[Note, ...]:
        notes: list[Note] = []
        room = _MAX_NOTES
        for segment in self.header.segments:
            if segment.p_type == PT_NOTE and room > 0:
                size = min(segment.p_filesz, room)
                data = self._source.pread(segment.p_offset, size) if self._inside(segment) else b""
                room -= len(data)
                if len(data) < segment.p_filesz:
                    self._cut_off(segment.p_offset, f"notes of {segment.p_filesz} bytes")
                align = 8 if segment.p_align == 8 else 4
                notes += walk_notes(data, self.byte_order, segment.p_offset, align)
        return tuple(notes)

    def _inside(self, segment: Segment) -> bool:
        return segment.p_offset < self._source.size

    def _refuse_foreign(self) -> None:
        names = {note.name for note in self.notes}
        what = next((text for name, text in _FOREIGN.items() if name in names), None)
        if any(n.name == "CORE" and n.type in (_NT_AUXV, _NT_FILE) for n in self.notes):
            what = f"the core of a user-space process{self._process()}, not of a guest"
            raise UnsupportedDump(f"this is {what}: {_QEMU_CORE_ADVICE}", path=self.path)
        if what:
            raise UnsupportedDump(f"this is {what}, which is not read here", path=self.path)

    def _process(self) -> str:
        """The name of the process, from ``pr_fname`` of the kernel's elf_prpsinfo."""
        at = 40 if self.header.bits == 64 else 28
        for note in self.notes:
            if note.type == _NT_PRPSINFO and note.name == "CORE":
                return f" ({printable(note.desc[at : at + 16].split(bytes(1), 1)[0])})"
        return ""

    def _read_segments(self) -> None:
        """Turn the PT_LOADs into what is stored where, and what is described at all."""
        starts, sizes, places = array("Q"), array("Q"), array("Q")
        described: list[Range] = []
        for segment in self.header.segments:
            if segment.p_type != PT_LOAD or segment.p_offset == self.header.absent:
                continue
            end = segment.p_paddr + max(segment.p_filesz, segment.p_memsz)
            if end > _LIMIT or segment.p_offset + segment.p_filesz >= _LIMIT:
                raise CorruptDump(
                    f"a segment of {segment.p_memsz:#x} bytes at physical address "
                    f"{segment.p_paddr:#x}, file offset {segment.p_offset:#x}",
                    path=self.path,
                    offset=self.header.e_phoff,
                )
            described.append(Range(segment.p_paddr, end))
            if segment.p_filesz:
                starts.append(segment.p_paddr)
                sizes.append(segment.p_filesz)
                places.append(segment.p_offset)
        self._pieces = PieceMap.of(starts, sizes, places)
        self.ram = union(described)
        self._check_size(max(map(int.__add__, places, sizes), default=0))

    def _check_size(self, end: int) -> None:
        have = self._source.size
        if end > have:
            self._cut_off(have, f"memory that goes up to {end:#x}")
        if self.ram_bytes > max(_ALWAYS_BELIEVED, have * _MOST_SPARSE):
            raise CorruptDump(
                f"the segments describe {self.ram_bytes:#x} bytes of memory in a file of {have:#x}",
                path=self.path,
                offset=self.header.e_phoff,
            )

    def _cut_off(self, offset: int, what: str) -> None:
        self.complete = False
        self.warnings += (f"{self.path}: offset {offset:#x}: the file ends inside {what}",)


def probe(source: Source) -> Dump | None:
    """The ELF core in ``source``, or None if that is something else."""
    return ElfDump(source) if source.pread(0, 4) == MAGIC else None
