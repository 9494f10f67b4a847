# SPDX-License-Identifier: GPL-3.0-or-later
"""kdump-compressed dumps: makedumpfile's own format, which QEMU writes as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from ..errors import (
    CorruptDump,
    ExcludedPage,
    MissingMemory,
)
from ..notes import NOTE_SIZE, arch_of_notes, note_named, walk_notes
from . import outline
from .base import Dump, Range, Stretch
from .bitmap import Bitmap
from .cache import PageCache
from .codecs import codec_of
from .intervals import few, ram_of
from .kdump_pages import Desc, PageTable
from .kdump_types import (
    NEWEST_VERSION,
    SIGNATURE,
    STATUS_INCOMPLETE,
    KdumpHeader,
    read_header,
)
from .outline import Frames
from .paged import PagedDump
from .source import Source
from .tally import Tally

_MAX_BITMAP = 1 << 29  # bytes: 16 TiB of guest memory in pages of 4 KiB
_BELIEVED_BITMAP = 1 << 22  # bytes: may be larger than a flattened file, whose holes are zeros
_MOST_SPARSE = 8  # times the bytes on disk: zeros may be holes, and compressed
_COMPARED = 1 << 20  # bytes of the two bitmaps that are compared at a time
_MAX_NOTES = 1 << 24
_MAX_VMCOREINFO = 1 << 20
_DESCRIPTORS_FOR_A_PAGE = 10  # log2 of those that are looked at in the time that a page takes
#: The unit that marks are looked for in: arm64 and POWER guests are dumped in larger blocks.
_MARKED_PAGE = 4096
_MACHINES = {"i686": "i386", "i586": "i386", "S390X": "s390x"}


class KdumpDump(PagedDump):
    """One guest's memory in a kdump file, or one part of it if the dump is split.

    ``pfns`` are the page frames whose pages this file is about: in a split dump
    a part of them all, although every part has the whole bitmaps. ``eraseinfo`` is
    the text in which ``makedumpfile --config`` tells what it erased.
    """

    format = "kdump"
    header: KdumpHeader

    def __init__(self, source: Source) -> None:
        """Read headers, bitmaps and notes.

        Raises:
            CorruptDump: they contradict themselves or the file.
        """
        self._source = source
        self.path = source.path
        self.flattened = source.flattened
        self.header = read_header(source)
        self.page_size = self.header.block_size
        self.byte_order = self.header.byte_order
        codec = codec_of(self.header.status)
        self.compression = codec.name if codec else "none"
        self._cache = PageCache(self.page_size)
        self._warnings = list(source.warnings)
        self._exists, self._dumped = self._read_bitmaps()
        self._pages = PageTable(source, self.header, self._dumped)
        self.ram = ram_of(self._runs(self._exists), source.budget, source.path)
        self._read_notes()
        self.arch = arch_of_notes(self.notes, self.byte_order) or self._machine()
        self.lacks = self._forgotten_ram()
        self.complete = self._check_complete() and self.lacks is None
        self.warnings = (*self._warnings, *((f"{self.path}: {self.lacks}",) if self.lacks else ()))

    @property
    def pfns(self) -> range:
        """The page frames that this file is about."""
        return self._pages.pfns

    @property
    def descriptors(self) -> range:
        """Where in the file its page descriptors are, in bytes."""
        return self._pages.descriptors

    @property
    def same_bitmaps(self) -> bool:
        """Whether every page that exists was dumped, as QEMU always says."""
        return self._exists is self._dumped

    @cached_property
    def stored(self) -> tuple[Range, ...]:
        """The pages that were dumped, see :attr:`Dump.stored`."""
        return self.ram if self.same_bitmaps else few(self._runs(self._dumped))

    def _held(self) -> Iterator[Stretch]:
        """The pages that were dumped, see :meth:`Dump.stretches`."""
        size = self.page_size
        for first, last, zero in self._pages.runs():
            yield Stretch(first * size, last * size, "zero" if zero else "stored")

    def stored_pages(self, pfns: range) -> Iterator[tuple[int, Desc, bytes]]:
        """Frame, descriptor and bytes as stored of dumped pages, of frames that all are.

        The pages of zeros that share one come first and without bytes, then the others,
        ascending; what the file doesn't have, or no codec could decode, is left out.
        """
        return self._pages.stored(pfns)

    def tally(self, start: int, end: int, most: int) -> Tally:
        """What the page descriptors say, see :meth:`Dump.tally`."""
        size = self.page_size
        pfns = range(max(start // size, self.pfns.start), min(-(-end // size), self.pfns.stop))
        return self._pages.tally(pfns, most << _DESCRIPTORS_FOR_A_PAGE) if pfns else Tally()

    def _runs(self, frames: Frames) -> Iterator[tuple[int, int]]:
        """Address ranges of the frames in a set."""
        work, size = self._source.work("listing its pages"), self.page_size
        for start, end in frames.runs():
            work.spend(1)
            yield start * size, end * size

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every stored page but the shared zero page, see :meth:`Dump.page_heads`."""
        for pfn, head in self._pages.heads(size):
            yield pfn * self.page_size, head

    def pages_with(
        self,
        marks: Sequence[tuple[int, bytes]],
        *,
        stored: range | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Addresses of the pages that hold a mark, see :meth:`Dump.pages_with`."""
        if self.page_size > _MARKED_PAGE:
            yield from self._within_blocks(marks, stored, progress)
            return
        from .marks import pattern

        size = max(offset + len(wanted) for offset, wanted in marks)
        if stored is not None and self.compression not in ("zlib", "zstd"):
            stored = range(stored.start, self.page_size)  # lzo and snappy make less of text
        for pfn in self._pages.matching(pattern(marks).match, size, stored, progress):
            yield pfn * self.page_size

    def _within_blocks(
        self,
        marks: Sequence[tuple[int, bytes]],
        stored: range | None,
        progress: Callable[[float], None] | None,
    ) -> Iterator[int]:
        """The pages with a mark where a block of the dump holds several pages.

        Each block has to be inflated, on all cores, unless it is stored in less than a page
        with a mark alone would be.
        """
        from .marks import in_chunk, spread

        def search(block: tuple[int, Desc]) -> tuple[int, list[int]]:
            pfn, desc = block
            data = self._pages.head(desc, self.page_size) or b""
            return pfn * self.page_size, in_chunk(data, _MARKED_PAGE, marks)

        least = range(stored.start // 2, self.page_size) if stored else None
        for paddr, found in spread(search, self._pages.worth_a_look(least, progress)):
            yield from (paddr + at for at in found)

    def places(
        self,
        step: int,
        offset: int,
        wanted: bytes,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[int]:
        """Where ``wanted`` stands, see :meth:`Dump.places`."""
        block, inside = self.page_size, offset % self.page_size
        if step != block or inside + len(wanted) > block:
            yield from super().places(step, offset, wanted, progress)
            return
        # Every block is looked at: no further into each than need be.
        end = max((r.end for r in self.ram), default=1)
        for count, (paddr, head) in enumerate(self.page_heads(inside + len(wanted))):
            if progress is not None and count % 256 == 0:
                progress(paddr / end)
            if head.startswith(wanted, inside) and paddr >= offset - inside:
                yield paddr - (offset - inside)

    @property
    def source(self) -> Source:
        """The image that the headers are in."""
        return self._source

    def _load(self, pfn: int) -> bytes:
        if pfn not in self._dumped:
            error = ExcludedPage if pfn in self._exists else MissingMemory
            raise error(paddr=pfn * self.page_size, path=self.path)
        return self._pages.load(pfn)

    # -- opening

    def _read_bitmaps(self) -> tuple[Frames, Frames]:
        header, source = self.header, self._source
        size, pages = header.bitmap_bytes, header.max_mapnr
        if size > min(max(source.stored * _MOST_SPARSE, _BELIEVED_BITMAP), _MAX_BITMAP):
            raise CorruptDump(
                f"a bitmap of {size} bytes (max_mapnr {header.max_mapnr:#x}) in a dump of "
                f"{source.stored} bytes",
                path=self.path,
                offset=header.bitmap_offset,
            )
        if source.costly and size >= outline.LEAST and header.two_bitmaps and not header.split:
            frames = outline.outline(source, header)
            if frames is not None:
                return frames, frames
        # To cut off what is behind the last page a copy is made.
        source.budget.check(2 * size, f"a page bitmap of {size} bytes", self.path)
        # Counting its bits needs an index, at most as large as an eighth of it.
        source.budget.hold(size + size // 8, f"a page bitmap of {size} bytes", self.path)
        exists = Bitmap(source.exactly(header.bitmap_offset, size, "the page bitmap"), pages)
        offset = header.bitmap_offset + header.bitmap_blocks * header.block_size // 2
        if not header.two_bitmaps or self._repeated(exists, offset):
            return exists, exists
        source.budget.hold(size + size // 8, f"a second bitmap of {size} bytes", self.path)
        return exists, Bitmap(source.exactly(offset, size, "the bitmap of dumped pages"), pages)

    def _repeated(self, exists: Bitmap, offset: int) -> bool:
        """Whether the bitmap at ``offset`` is the same, as QEMU writes it; read part by part."""
        for at in range(0, len(exists.data), _COMPARED):
            part = exists.data[at : at + _COMPARED]
            if self._source.pread(offset + at, len(part)) != part:
                return False
        return True

    def _read_notes(self) -> None:
        header = self.header
        area = self._area("notes", header.offset_note, header.size_note, _MAX_NOTES)
        self.notes = walk_notes(area, self.byte_order, header.offset_note)
        count = len(self.notes)
        self._source.budget.hold(count * NOTE_SIZE, f"a list of {count} notes", self.path)
        note = note_named(self.notes, "VMCOREINFO")
        text = (
            note.desc
            if note
            else self._area(
                "VMCOREINFO", header.offset_vmcoreinfo, header.size_vmcoreinfo, _MAX_VMCOREINFO
            )
        )
        self.vmcoreinfo = text.strip(b"\0") or None
        self.eraseinfo = self._area(
            "eraseinfo", header.offset_eraseinfo, header.size_eraseinfo, _MAX_VMCOREINFO
        )

    def _area(self, what: str, offset: int, size: int, most: int) -> bytes:
        """A part of the file that the sub-header points at; what is wrong becomes a warning."""
        if not offset or not size:
            return b""
        if offset < 0 or size > most or offset + size > self._source.size:
            self._warnings.append(
                f"{self.path}: the sub-header puts {size} bytes of {what} at {offset:#x}, "
                "which is not in the file"
            )
            return b""
        # The parts of it that become notes are copies.
        self._source.budget.hold(2 * size, f"{what} of {size} bytes", self.path)
        return self._source.pread(offset, size)

    def _machine(self) -> str:
        machine = self.header.utsname.machine
        return "unknown" if machine in ("", "Unknown") else _MACHINES.get(machine, machine)

    def _forgotten_ram(self) -> str | None:
        """What QEMU forgot: RAM that it counts, but that none of its bitmaps has.

        Up to 8.0 its walk over the blocks of RAM ended behind one whose end is no multiple
        of the dump's block; under KVM an arm64 guest's clock page is one, and lies below
        all other RAM (dump.c get_next_page, mended by commit 8a64609eea).
        """
        header = self.header
        written_by_qemu = not (header.utsname.sysname or header.timestamp[0] or header.split)
        counted = header.max_mapnr * self.page_size
        end = self.ram[-1].end if self.ram else 0
        if not written_by_qemu or not self.same_bitmaps or end + self.page_size > counted:
            return None
        return (
            f"the dump lacks the guest's RAM: its header counts memory up to {counted:#x}, its "
            f"bitmap ends at {end:#x}; QEMU before 8.1 forgets it in an arm64 guest's kdump under "
            "KVM (fixed by commit 8a64609eea): dump the guest as ELF"
        )

    def _check_complete(self) -> bool:
        header, source = self.header, self._source
        complete = source.complete
        if header.header_version > NEWEST_VERSION:
            self._warnings.append(
                f"{self.path}: header_version {header.header_version} is newer than "
                f"{NEWEST_VERSION}; read as that"
            )
        if header.status & STATUS_INCOMPLETE:
            complete = False
            self._warnings.append(f"{self.path}: flagged incomplete by the program that wrote it")
        lost = self._pages.lost_tail()
        if lost:
            complete = False
            self._warnings.append(f"{self.path}: {lost}")
        return complete


def probe(source: Source) -> Dump | None:
    """The kdump in ``source``, or None if that is something else."""
    return KdumpDump(source) if source.pread(0, 8) == SIGNATURE else None
