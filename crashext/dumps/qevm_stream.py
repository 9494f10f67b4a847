# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's migration stream: its sections, and where in it each page of RAM is.

Sources: QEMU migration/savevm.c (sections), migration/ram.c (``RAM_SAVE_FLAG_*``,
``ram_load_precopy``), migration/vmstate.c, include/migration/vmstate.h. Big-endian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import CorruptDump, UnsupportedDump
from . import qevm_mapped, xbzrle
from .qevm_cpus import FOOTER, FULL, Sections
from .qevm_cursor import Cursor, Ended
from .qevm_description import Description, Misfit, description_of
from .qevm_mapped import MappedPages
from .qevm_pages import FILLED, PACKED, PageIndex
from .source import Source
from .xbzrle import Deltas

_VERSION = 3

_START, _PART, _END, _SUBSECTION, _CONFIGURATION, _COMMAND = 1, 2, 3, 5, 7, 8

_FILL, _MEM_SIZE, _PAGE, _EOS, _CONTINUE = 0x02, 0x04, 0x08, 0x10, 0x20
_XBZRLE, _HOOK, _COMPRESSED, _MULTIFD_FLUSH = 0x40, 0x80, 0x100, 0x200
_PAGE_MASK = ~0xFFF

_BLOCK_SIZE = 1 << 10  # bytes of memory that a RAM block takes, without its pages
_ALWAYS_BELIEVED = 1 << 21  # pages: 8 GiB
_MAPPED, _MULTIFD = "mapped-ram", "multifd"
# What QEMU's migration capabilities leave out of the stream.
_ELSEWHERE = {
    "x-ignore-shared": "shared RAM is left out: it is in the guest's own memory-backend-file, "
    "which --format raw reads",
    _MULTIFD: "without mapped-ram the pages go through channels of their own, and no file can "
    "have them all (QEMU: transport_supports_multi_channels)",
}


@dataclass
class Block:
    """One RAMBlock: its name, its length in bytes, and an entry for each page."""

    name: str
    length: int
    pages: PageIndex | MappedPages


@dataclass
class Stream:
    """What the walk finds out.

    ``machine`` is the machine type, ``devices`` names each device section with its
    instance; ``deltas`` are the pages sent as differences, ``cpus`` the fields of each vCPU's
    section. ``finished`` is whether the RAM section came to its end; ``problem`` says what is
    wrong where it did not, ``unread`` why the vCPUs aren't all there.
    """

    deltas: Deltas
    machine: str = ""
    page_size: int = 4096
    capabilities: tuple[str, ...] = ()
    blocks: dict[str, Block] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    cpus: tuple[Mapping[str, bytes], ...] = ()
    finished: bool = False
    problem: str = ""
    unread: str = ""


def walk(source: Source) -> Stream:
    """Walk the stream to its end.

    Raises:
        CorruptDump: it contradicts itself.
        UnsupportedDump: its RAM is kept in a way that isn't read here.
    """
    stream = Stream(Deltas(source.budget, source.path))
    cursor = Cursor(source)
    walker = _Walker(source, cursor, stream)
    try:
        cursor.take(4)
        version = cursor.number(4)
        if version != _VERSION:
            raise UnsupportedDump(
                f"a migration stream of version {version}; known is {_VERSION}", path=source.path
            )
        walker.run()
    except Ended:
        stream.problem = f"cut off inside the RAM section, at {cursor.offset:#x}"
    walker.look_at_devices()
    for block in stream.blocks.values():
        if stream.finished and isinstance(block.pages, MappedPages):
            block.pages.unset = FILLED
    return stream


class _Walker:
    """One walk; ``self._ram`` is the number of the RAM section once it has begun."""

    def __init__(self, source: Source, cursor: Cursor, stream: Stream) -> None:
        self._source = source
        self._cursor = cursor
        self._stream = stream
        self._ram = -1
        self._mapped = False
        self._declared = 0  # pages of all blocks
        self._work = source.work("going through the stream")
        self._block: Block | None = None  # goes on over the parts of the section

    def run(self) -> None:
        """Take one section after the other until RAM is done."""
        cursor = self._cursor
        while not self._stream.finished:
            self._work.spend(1)
            offset = cursor.offset
            kind = cursor.number(1)
            if kind == _CONFIGURATION:
                self._stream.machine = cursor.take(min(cursor.number(4), 4096)).decode(
                    "ascii", "backslashreplace"
                )
            elif kind == _SUBSECTION:
                self._configuration(offset)
            elif kind == _COMMAND:
                cursor.number(2)
                cursor.skip(cursor.number(2))
            elif kind == FOOTER:
                cursor.number(4)
            elif kind in (_START, _PART, _END):
                self._section(kind, offset)
            elif kind != FULL or not self._early_section():
                self._stream.problem = f"section type {kind:#x} at {offset:#x} before RAM is done"
                return

    @cached_property
    def _description(self) -> Description:
        return description_of(self._source)

    @cached_property
    def _sections(self) -> Sections:
        return Sections(self._source, self._cursor, self._description.devices())

    def _early_section(self) -> bool:
        """Go over a device whose state is sent before RAM (QEMU 7.2 and later)."""
        try:
            self._sections.take()
        except Misfit:
            return False
        return True

    def look_at_devices(self) -> None:
        """Take what the description tells, and the vCPUs from behind RAM."""
        stream = self._stream
        stream.devices = self._description.names
        if not stream.finished:
            return
        stream.unread = self._sections.take_rest()
        if not stream.unread:
            stream.cpus = tuple(self._sections.cpus)

    def _configuration(self, offset: int) -> None:
        """A subsection of the configuration; each has a layout of its own."""
        cursor, stream = self._cursor, self._stream
        name = cursor.text()
        cursor.number(4)
        if name == "configuration/target-page-bits":
            bits = cursor.number(4)
            if not 10 <= bits <= 16:
                raise self._corrupt(f"pages of 2^{bits} bytes", offset)
            stream.page_size = 1 << bits
        elif name == "configuration/capabilities":
            count = cursor.number(4)
            stream.capabilities = tuple(cursor.text() for _ in range(min(count, 256)))
            self._refuse_capabilities()
        elif name == "configuration/uuid":
            cursor.skip(16)
        else:
            raise self._corrupt(f"unknown subsection {name!r}", offset)

    def _refuse_capabilities(self) -> None:
        names = self._stream.capabilities
        self._mapped = _MAPPED in names
        for name, reason in _ELSEWHERE.items():
            if name in names and not (name == _MULTIFD and self._mapped):
                raise UnsupportedDump(
                    f"a migration stream with {name}: {reason}", path=self._source.path
                )

    def _section(self, kind: int, offset: int) -> None:
        cursor = self._cursor
        number = cursor.number(4)
        if kind == _START:
            name = cursor.text()
            cursor.skip(8)
            if name == "ram":
                self._ram = number
        if number != self._ram:
            raise UnsupportedDump(
                f"a migration stream with a live section other than RAM at {offset:#x}",
                path=self._source.path,
                offset=offset,
            )
        self._records()
        self._stream.finished = kind == _END

    def _records(self) -> None:
        """The records of one part of the RAM section."""
        cursor = self._cursor
        while True:
            self._work.spend(1)
            offset = cursor.offset
            word = cursor.number(8)
            if word & _EOS:
                return
            if word & _MEM_SIZE:
                self._block_list(word & _PAGE_MASK, offset)
            elif word & (_FILL | _PAGE | _XBZRLE | _COMPRESSED):
                if not word & _CONTINUE:
                    self._block = self._stream.blocks.get(cursor.text())
                if self._block is None:
                    raise self._corrupt("a page of no known RAM block", offset)
                self._page(self._block, word, offset)
            elif not word & (_HOOK | _MULTIFD_FLUSH):
                raise self._corrupt(f"a RAM record with flags {word & 0xFFF:#x}", offset)

    def _page(self, block: Block, word: int, offset: int) -> None:
        cursor, pages = self._cursor, block.pages
        index = (word & _PAGE_MASK) // self._stream.page_size
        if index >= len(pages):
            raise self._corrupt(f"page {index} of block {block.name!r}, which is shorter", offset)
        if not isinstance(pages, PageIndex):
            raise self._corrupt(f"a page of block {block.name!r}, which is mapped", offset)
        if word & _PAGE:
            pages[index] = cursor.offset
            cursor.skip(self._stream.page_size)
        elif word & _FILL:
            pages[index] = FILLED | cursor.number(1)
        elif word & _COMPRESSED:
            pages[index] = PACKED | cursor.offset
            cursor.skip(cursor.number(4))
        else:
            pages[index] = self._stream.deltas.add(pages[index], cursor.offset)
            cursor.number(xbzrle.HEADER - 2)
            cursor.skip(cursor.number(2))

    def _block_list(self, total: int, offset: int) -> None:
        """The names and lengths of all blocks, up to the total."""
        cursor, stream = self._cursor, self._stream
        size = stream.page_size
        self._declared += total // size
        # A page takes 9 bytes at least.
        if self._declared > max(_ALWAYS_BELIEVED, self._source.size):
            raise self._corrupt(f"{total:#x} bytes of RAM in so small a file", offset)
        while total > 0:
            name = cursor.text()
            length = cursor.number(8)
            if not 0 < length <= total:
                raise self._corrupt(f"block {name!r} of {length:#x} bytes", offset)
            total -= length
            budget, path = self._source.budget, self._source.path
            budget.hold(_BLOCK_SIZE, "a list of so many RAM blocks", path)
            if self._mapped:
                self._mapped_block(name, length)
            else:
                pages = PageIndex(-(-length // size), budget, path)
                stream.blocks[name] = Block(name, length, pages)

    def _mapped_block(self, name: str, length: int) -> None:
        """A block whose pages come at once; the stream goes on behind them."""
        cursor, source, size = self._cursor, self._source, self._stream.page_size
        raw = cursor.take(qevm_mapped.HEADER.size)
        where = qevm_mapped.read_header(raw, cursor.offset, length, source, size)
        pages = qevm_mapped.read_pages(where, length, source, size)
        self._stream.blocks[name] = Block(name, length, pages)
        cursor.go_to(where.pages + length)

    def _corrupt(self, problem: str, offset: int) -> CorruptDump:
        return CorruptDump(f"migration stream: {problem}", path=self._source.path, offset=offset)
