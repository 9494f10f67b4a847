# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU migration stream kept in a file: plain ``virsh dump``, ``virsh save``, migrate to exec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..errors import CorruptDump, MissingMemory, TruncatedPage
from .base import Dump, Kind, Range, Stretch
from .cache import PageCache
from .codecs import CODECS, DecodeError, decoding_steps
from .intervals import Piece, few, union
from .paged import PagedDump
from .plain import PlainDump
from .qevm_board import board_of
from .qevm_mapped import MappedPages
from .qevm_pages import ABSENT, DELTA, FILLED, PACKED, PageIndex
from .qevm_stream import Stream, walk
from .source import Source
from .xbzrle import HEADER, applied

_RUN = 64  # steps of work that a run of pages takes


@dataclass(frozen=True, slots=True)
class QevmHeader:
    """What the stream says about itself.

    ``blocks`` are name and bytes of each RAM block, ``devices`` the device sections
    as ``name/instance``, ``main`` the block that is the guest's main memory.
    """

    machine: str
    capabilities: tuple[str, ...]
    blocks: tuple[tuple[str, int], ...]
    devices: tuple[str, ...]
    main: str

    @property
    def nr_cpus(self) -> int:
        """vCPUs, by their device sections."""
        return sum(device.startswith("cpu/") for device in self.devices)


class QevmDump(Dump):
    """The guest's main memory in a migration stream; there are no notes in it."""

    format = "qevm"
    byte_order = "little"
    header: QevmHeader
    notes = ()
    vmcoreinfo = None
    _source: Source
    _pages: PageIndex | MappedPages

    def __init__(self, source: Source, stream: Stream) -> None:
        """Take what the walk over ``source`` found out.

        Raises:
            CorruptDump: there is no RAM in it.
        """
        self._source = source
        self.path = source.path
        if not stream.blocks:
            raise CorruptDump("a migration stream without RAM", path=self.path)
        board, main = board_of(stream.machine, stream.blocks)
        self.arch = board.arch
        self.page_size = stream.page_size
        self._pages = main.pages
        self._layout = board.layout(main.length)
        self.ram = union(Range(piece.start, piece.end) for piece in self._layout)
        self.header = QevmHeader(
            stream.machine,
            stream.capabilities,
            tuple((block.name, block.length) for block in stream.blocks.values()),
            stream.devices,
            main.name,
        )
        self.cpu_states = stream.cpus
        self.complete = source.complete and stream.finished
        self.warnings = source.warnings
        if stream.problem:
            self.warnings += (f"{self.path}: {stream.problem}",)
        if stream.unread:
            self.warnings += (f"{self.path}: no registers of the vCPUs: {stream.unread}",)

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        """Runs of pages that the stream has: address, index of the first, how many."""
        for start, end, place in self._layout:
            first = place // self.page_size
            last = first + -(-(end - start) // self.page_size)
            for low, high in self._pages.runs(first, last):
                yield start + (low - first) * self.page_size, low, high - low

    def _entry(self, paddr: int) -> int:
        """The index entry of the page at an address."""
        piece = self._layout.at(paddr)
        if piece is None:
            raise MissingMemory(paddr=paddr, path=self.path)
        return self._pages[(piece.place + paddr - piece.start) // self.page_size]


class SentDump(QevmDump, PagedDump):
    """Pages in the order in which they were sent, some several times."""

    def __init__(self, source: Source, stream: Stream) -> None:
        """See :class:`QevmDump`."""
        super().__init__(source, stream)
        self._deltas = stream.deltas
        self._cache = PageCache(self.page_size)

    @cached_property
    def stored(self) -> tuple[Range, ...]:
        """The pages that the stream has, see :attr:`Dump.stored`."""
        size = self.page_size
        return few((paddr, paddr + count * size) for paddr, _, count in self._runs())

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every page that isn't one repeated byte, see :meth:`Dump.page_heads`."""
        work, effort = self._source.work("searching its pages"), decoding_steps(self.page_size)
        for start, first, count in self._runs():
            for index, entry in self._pages.items(first, first + count):
                if entry & FILLED:
                    continue
                paddr = start + (index - first) * self.page_size
                try:
                    changes = len(self._deltas.chain(entry)[1]) if entry & DELTA else 0
                    work.spend(effort * (1 + changes))
                    yield paddr, self._decode(entry, paddr)[:size]
                except (MissingMemory, CorruptDump):
                    continue

    def _load(self, pfn: int) -> bytes:
        paddr = pfn * self.page_size
        return self._decode(self._entry(paddr), paddr)

    def _decode(self, entry: int, paddr: int) -> bytes:
        if entry & DELTA:
            return self._changed(entry, paddr)
        if entry == ABSENT:
            raise TruncatedPage(paddr=paddr, path=self.path)
        if entry & FILLED:
            return bytes([entry & 0xFF]) * self.page_size
        if entry & PACKED:
            return self._inflated(entry & ~PACKED, paddr)
        data = self._source.pread(entry, self.page_size)
        if len(data) < self.page_size:
            raise TruncatedPage(paddr=paddr, path=self.path)
        return data

    def _inflated(self, offset: int, paddr: int) -> bytes:
        """A page sent compressed: its length in 32 bits, then zlib data."""
        length = int.from_bytes(self._source.pread(offset, 4), "big")
        data = self._source.pread(offset + 4, min(length, 2 * self.page_size))
        try:
            page = CODECS[0x01].decode(data, self.page_size)
        except DecodeError as error:
            raise self._undecoded(paddr, str(error), offset) from None
        if len(page) != self.page_size:
            raise CorruptDump(f"the page at {paddr:#x} is short", path=self.path, offset=offset)
        return page

    def _changed(self, entry: int, paddr: int) -> bytes:
        """A page sent as differences to what was sent before."""
        base, places = self._deltas.chain(entry)
        if base == ABSENT:
            raise self._undecoded(paddr, "a difference to a page that was not sent", places[0])
        page = self._decode(base, paddr)
        for place in places:
            encoding, *length = self._source.exactly(place, HEADER, "an XBZRLE header")
            size = int.from_bytes(bytes(length), "big")
            if encoding != 1 or size > self.page_size:
                raise self._undecoded(paddr, f"encoding {encoding} of {size} bytes", place)
            try:
                page = applied(page, self._source.exactly(place + HEADER, size, "a difference"))
            except DecodeError as error:
                raise self._undecoded(paddr, f"XBZRLE: {error}", place) from None
        return page

    def _undecoded(self, paddr: int, problem: str, offset: int) -> CorruptDump:
        text = f"the page at {paddr:#x} can't be decoded: {problem}"
        return CorruptDump(text, path=self.path, offset=offset)


class MappedDump(QevmDump, PlainDump):
    """Pages each at its own place (mapped-ram); those that are zero are not in the file."""

    _pages: MappedPages

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory, page by page."""
        parts = []
        end = paddr + size
        while paddr < end:
            skip = paddr % self.page_size
            length = min(self.page_size - skip, end - paddr)
            parts.append(self._part(self._entry(paddr - skip), paddr, skip, length))
            paddr += length
        return b"".join(parts)

    def _part(self, entry: int, paddr: int, skip: int, length: int) -> bytes:
        if entry & FILLED:
            return bytes(length)
        data = self._source.pread(entry + skip, length) if entry != ABSENT else b""
        if len(data) < length:
            raise TruncatedPage(paddr=paddr + len(data), path=self.path)
        return data

    def _memory(self) -> Iterator[Piece]:
        """The pages that the bitmaps have, see :meth:`PlainDump._memory`."""
        work = self._source.work("searching its pages")
        for paddr, index, count in self._runs():
            # A bit that is set costs no byte on disk; its page should.
            work.spend(_RUN + count)
            yield Piece(paddr, paddr + count * self.page_size, self._pages[index])

    def _held(self) -> Iterator[Stretch]:
        """Likewise; all others are zeros if a bitmap was written, see :meth:`Dump.stretches`."""
        rest: Kind = "zero" if self._pages.unset == FILLED else "stored"
        at = 0
        for start, end, _ in self._memory():
            yield Stretch(at, start, rest)
            yield Stretch(start, end, "stored")
            at = end
        yield Stretch(at, self.ram[-1].end, rest)

    def _extents(self) -> Iterator[tuple[int, int, int]]:
        """Likewise, cut off where the file ends, see :meth:`PlainDump._extents`."""
        for start, end, place in self._memory():
            yield start, place, min(end - start, max(self._source.size - place, 0))


def open_stream(source: Source) -> QevmDump:
    """The stream in ``source``.

    Raises:
        CorruptDump, UnsupportedDump: see :func:`crashext.dumps.qevm_stream.walk`.
    """
    stream = walk(source)
    mapped = any(isinstance(block.pages, MappedPages) for block in stream.blocks.values())
    return (MappedDump if mapped else SentDump)(source, stream)
