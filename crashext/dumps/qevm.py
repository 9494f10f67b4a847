# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU migration stream kept in a file: plain ``virsh dump``, ``virsh save``, migrate to exec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..errors import CorruptDump, MissingMemory, TruncatedPage, UnsupportedDump
from .base import Range
from .cache import PageCache
from .codecs import CODECS, DecodeError, decoding_steps
from .intervals import PieceMap, close_up, few, union
from .paged import PagedDump
from .qevm_pages import ABSENT, DELTA, FILLED, PACKED
from .qevm_stream import Block, walk
from .source import Source

_GIB = 1 << 30


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


@dataclass(frozen=True, slots=True)
class _Board:
    """Where a machine type has the RAM of its main block; QEMU hw/*/."""

    arch: str
    block: str
    base: int = 0
    #: Memory of ``below`` bytes or more is split at ``hole`` and goes on at 4 GiB.
    below: int = 0
    hole: int = 0


# By the start of the machine type. pc_init1 and pc_q35_init with gigabyte alignment
# (machine types 2.0 and later); microvm_memory_init.
_BOARDS = (
    ("pc-q35", _Board("x86_64", "pc.ram", 0, 0xB0000000, 0x80000000)),
    ("q35", _Board("x86_64", "pc.ram", 0, 0xB0000000, 0x80000000)),
    ("pc", _Board("x86_64", "pc.ram", 0, 0xE0000000, 0xC0000000)),
    ("xenfv", _Board("x86_64", "pc.ram", 0, 0xF0000000, 0xF0000000)),
    ("microvm", _Board("x86_64", "microvm.ram", 0, 0xE0000000, 0xC0000000)),
    ("s390-ccw", _Board("s390x", "s390.ram")),
    ("pseries", _Board("ppc64", "ppc_spapr.ram")),
)
# The machine type "virt" is several; the name of its RAM block tells which.
_VIRT = (
    _Board("aarch64", "mach-virt.ram", _GIB),
    _Board("riscv64", "riscv_virt_board.ram", 2 * _GIB),
    _Board("loongarch64", "loongarch.ram", 0, 0x10000000, 0x10000000),
)


class QevmDump(PagedDump):
    """The guest's main memory in a migration stream; there are no notes in it."""

    format = "qevm"
    byte_order = "little"
    header: QevmHeader
    notes = ()
    vmcoreinfo = None

    def __init__(self, source: Source) -> None:
        """Walk the stream.

        Raises:
            CorruptDump, UnsupportedDump: see :func:`crashext.dumps.qevm_stream.walk`.
        """
        self._source = source
        self.path = source.path
        stream = walk(source)
        if not stream.blocks:
            raise CorruptDump("a migration stream without RAM", path=self.path)
        board, main = _board_of(stream.machine, stream.blocks)
        self.arch = board.arch
        self.page_size = stream.page_size
        self._cache = PageCache(self.page_size)
        self._pages = main.pages
        self._layout = _layout(board, main.length)
        self.ram = union(Range(piece.start, piece.end) for piece in self._layout)
        self.header = QevmHeader(
            stream.machine,
            stream.capabilities,
            tuple((block.name, block.length) for block in stream.blocks.values()),
            stream.devices,
            main.name,
        )
        self.complete = source.complete and stream.finished
        self.warnings = source.warnings
        if stream.problem:
            self.warnings += (f"{self.path}: {stream.problem}",)

    @cached_property
    def stored(self) -> tuple[Range, ...]:
        """The pages that the stream has, see :attr:`Dump.stored`."""
        size = self.page_size
        return few(close_up((paddr, paddr + size) for paddr, _ in self._entries()))

    def _entries(self) -> Iterator[tuple[int, int]]:
        """Address and index entry of each page that the stream has, ascending."""
        for start, end, place in self._layout:
            first = place // self.page_size
            last = first + -(-(end - start) // self.page_size)
            for index, entry in self._pages.items(first, last):
                yield start + (index - first) * self.page_size, entry

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of every page that isn't one repeated byte, see :meth:`Dump.page_heads`."""
        work, effort = self._source.work("searching its pages"), decoding_steps(self.page_size)
        for paddr, entry in self._entries():
            if entry > DELTA and not entry & FILLED:
                work.spend(effort)
                try:
                    yield paddr, self._decode(entry, paddr)[:size]
                except (MissingMemory, CorruptDump):
                    continue

    def _load(self, pfn: int) -> bytes:
        paddr = pfn * self.page_size
        piece = self._layout.at(paddr)
        if piece is None:
            raise MissingMemory(paddr=paddr, path=self.path)
        entry = self._pages[(piece.place + paddr - piece.start) // self.page_size]
        return self._decode(entry, paddr)

    def _decode(self, entry: int, paddr: int) -> bytes:
        if entry == ABSENT:
            raise TruncatedPage(paddr=paddr, path=self.path)
        if entry == DELTA:
            raise UnsupportedDump(
                f"the page at {paddr:#x} was sent as an XBZRLE difference, not read here",
                path=self.path,
            )
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
            raise CorruptDump(
                f"the page at {paddr:#x} can't be decoded: {error}", path=self.path, offset=offset
            ) from None
        if len(page) != self.page_size:
            raise CorruptDump(f"the page at {paddr:#x} is short", path=self.path, offset=offset)
        return page


def _board_of(machine: str, blocks: dict[str, Block]) -> tuple[_Board, Block]:
    """The board's memory layout, and its main RAM block: by name, else the largest."""
    largest = max(blocks.values(), key=lambda block: block.length)
    boards = [board for prefix, board in _BOARDS if machine.startswith(prefix)]
    boards += [board for board in _VIRT if board.block in blocks]
    board = boards[0] if boards else _Board("unknown", "")
    return board, blocks.get(board.block, largest)


def _layout(board: _Board, length: int) -> PieceMap:
    """Physical addresses to offsets in the main block."""
    if not board.below or length < board.below:
        return PieceMap.of([board.base], [length], [0])
    return PieceMap.of([board.base, 4 * _GIB], [board.hole, length - board.hole], [0, board.hole])
