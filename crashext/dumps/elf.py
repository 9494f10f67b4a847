# SPDX-License-Identifier: GPL-3.0-or-later
"""ELF core dumps of a guest's (or a machine's) physical memory."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from ..errors import CorruptDump, ExcludedPage, MissingMemory, TruncatedPage, UnsupportedDump
from ..notes import MOST_NOTES, NOTE_SIZE, note_named, walk_notes
from ..text import printable
from .base import Dump, Note
from .displaced import displacement
from .elf_types import MAGIC, PT_LOAD, PT_NOTE, ElfHeader, Segment, read_header
from .intervals import Piece, PieceMap, close_up, ram_of
from .plain import PlainDump
from .source import Source

_MAX_NOTES = 1 << 24
_LEAST_NOTES = 1 << 8  # bytes that a segment of notes counts for, even if there is nothing in it
_SEGMENT = 128  # bytes of memory that reading a program header takes
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


class ElfDump(PlainDump):
    """One guest's memory in an ELF core."""

    format = "elf"
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
        self._lossy = not source.complete
        self.warnings = source.warnings
        self.header = read_header(source)
        self.byte_order = self.header.byte_order
        self.arch = self.header.arch
        self._early = displacement(source, self.header) if source.complete else 0
        self.notes = self._read_notes()
        self._refuse_foreign()
        note = note_named(self.notes, "VMCOREINFO")
        self.vmcoreinfo = (note.desc.strip(b"\0") or None) if note else None
        self._read_segments()

    @property
    def source(self) -> Source:
        """The image that the headers are in."""
        return self._source

    @property
    def displaced(self) -> int:
        """How many bytes before the place that the program headers say the memory lies."""
        return self._early

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

    def _memory(self) -> Iterator[Piece]:
        """The segments, see :meth:`PlainDump._memory`."""
        return iter(self._pieces)

    def _extents(self) -> Iterator[tuple[int, int, int]]:
        """The segments, cut off where the file ends, see :meth:`PlainDump._extents`."""
        for piece in self._pieces.by_place().by_place():
            size = min(piece.end - piece.start, self._source.size - piece.place)
            if size > 0:
                yield piece.start, piece.place, size

    def _stored(self, piece: Piece, paddr: int, size: int) -> bytes:
        data = self._source.pread(piece.place + paddr - piece.start, size)
        if len(data) < size:
            raise TruncatedPage(paddr=paddr + len(data), path=self.path)
        if self._lossy and not self._source.holds(piece.place + paddr - piece.start, size):
            raise TruncatedPage(paddr=paddr, path=self.path)
        return data

    def _missing(self, paddr: int) -> MissingMemory:
        index = bisect_right(self.ram, (paddr, _LIMIT)) - 1
        described = index >= 0 and paddr < self.ram[index].end
        return (ExcludedPage if described else MissingMemory)(paddr=paddr, path=self.path)

    # -- opening

    def _read_notes(self) -> tuple[Note, ...]:
        notes: list[Note] = []
        room, budget = _MAX_NOTES, self._source.budget
        for segment in self.header.segments:
            if segment.p_type == PT_NOTE and room > 0:
                size = min(segment.p_filesz - self._early, room)
                # What becomes notes is a copy.
                budget.hold(2 * min(size, self._source.size), "its notes", self.path)
                data = self._source.pread(segment.p_offset, size) if self._inside(segment) else b""
                room -= max(len(data), _LEAST_NOTES)
                if len(data) < size:
                    self._cut_off(segment.p_offset, f"notes of {segment.p_filesz} bytes")
                elif size == room:
                    self.warnings += (f"{self.path}: notes of more than {_MAX_NOTES} bytes",)
                align = 8 if segment.p_align == 8 else 4
                left = MOST_NOTES - len(notes)
                notes += walk_notes(data, self.byte_order, segment.p_offset, align, left)
        budget.hold(len(notes) * NOTE_SIZE, f"a list of {len(notes)} notes", self.path)
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
        # The columns are address, bytes in memory, bytes in the file, place in the file.
        count, budget = self.header.e_phnum, self._source.budget
        budget.hold(count * _SEGMENT, f"a map of {count} segments", self.path)
        starts, spans, sizes, places = array("Q"), array("Q"), array("Q"), array("Q")
        for segment in self.header.segments:
            if segment.p_type != PT_LOAD or segment.p_offset == self.header.absent:
                continue
            span = max(segment.p_filesz, segment.p_memsz)
            if segment.p_paddr + span >= _LIMIT or segment.p_offset + segment.p_filesz >= _LIMIT:
                raise CorruptDump(
                    f"a segment of {segment.p_memsz:#x} bytes at physical address "
                    f"{segment.p_paddr:#x}, file offset {segment.p_offset:#x}",
                    path=self.path,
                    offset=self.header.e_phoff,
                )
            for column, value in zip(
                (starts, spans, sizes, places),
                (segment.p_paddr, span, segment.p_filesz, segment.p_offset - self._early),
                strict=True,
            ):
                column.append(value)
        self._pieces = PieceMap.of(starts, sizes, places)
        order = sorted(range(len(starts)), key=starts.__getitem__)
        described = close_up((starts[i], starts[i] + spans[i]) for i in order if spans[i])
        self.ram = ram_of(described, self._source.budget, self.path)
        self._check_size(max(map(int.__add__, places, sizes), default=0))
        if self._early:
            side = "before" if self._early > 0 else "behind"
            self.warnings += (
                f"{self.path}: the memory lies {abs(self._early)} bytes {side} where the program "
                "headers say (QEMU wrote other notes than it had reckoned with); read as it lies",
            )

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
        if self.complete:
            self.complete = False
            self.warnings += (f"{self.path}: offset {offset:#x}: the file ends inside {what}",)


def probe(source: Source) -> Dump | None:
    """The ELF core in ``source``, or None if that is something else."""
    return ElfDump(source) if source.pread(0, 4) == MAGIC else None
