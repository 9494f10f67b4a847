# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's migration stream: its sections, and where in it each page of RAM is.

Sources: QEMU migration/savevm.c (sections), migration/ram.c (``RAM_SAVE_FLAG_*``,
``ram_load_precopy``), migration/vmstate.c, include/migration/vmstate.h. Big-endian.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from ..errors import CorruptDump, UnsupportedDump
from .qevm_pages import DELTA, FILLED, PACKED, PageIndex
from .source import Source

MAGIC = b"QEVM"
_VERSION = 3

_EOF, _START, _PART, _END, _FULL, _SUBSECTION, _VMDESC, _CONFIGURATION, _COMMAND = range(9)
_FOOTER = 0x7E

_FILL, _MEM_SIZE, _PAGE, _EOS, _CONTINUE = 0x02, 0x04, 0x08, 0x10, 0x20
_XBZRLE, _HOOK, _COMPRESSED, _MULTIFD_FLUSH = 0x40, 0x80, 0x100, 0x200
_PAGE_MASK = ~0xFFF

# QEMU's description of all devices is text of JSON, in it for each device section:
_DEVICE = re.compile(rb'\{"name": ?"([^"\\]{1,255})", ?"instance_id": ?(\d{1,10})[,}]')
_DESCRIPTION = re.compile(rb"\x06(.{4})(?=\{\")", re.DOTALL)
_MAX_DESCRIPTION = 1 << 23
_MAX_DEVICES = 1 << 15  # eight times the vCPUs that a guest can have
_BLOCK_SIZE = 1 << 10  # bytes of memory that a RAM block takes, without its pages
_ALWAYS_BELIEVED = 1 << 21  # pages: 8 GiB
_UNREADABLE = ("multifd", "mapped-ram", "x-ignore-shared")


@dataclass
class Block:
    """One RAMBlock: its name, its length in bytes, and an entry for each page."""

    name: str
    length: int
    pages: PageIndex


@dataclass
class Stream:
    """What the walk finds out.

    ``machine`` is the machine type, ``devices`` names each device section with its
    instance; ``finished`` is whether the RAM section came to its end.
    """

    machine: str = ""
    page_size: int = 4096
    capabilities: tuple[str, ...] = ()
    blocks: dict[str, Block] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    finished: bool = False
    problem: str = ""


class _Ended(Exception):
    """The file ends."""


class _Cursor:
    """Goes through the file with one buffer."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = b""
        self._start = 0
        self.offset = 0

    def take(self, size: int) -> bytes:
        """The next bytes; raises _Ended where there are fewer."""
        at = self.offset - self._start
        if at + size > len(self._buffer):
            self._buffer = self._source.pread(self.offset, max(size, 1 << 16))
            self._start = self.offset
            at = 0
            if len(self._buffer) < size:
                raise _Ended
        self.offset += size
        return self._buffer[at : at + size]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self) -> str:
        """A counted string."""
        return self.take(self.number(1)).decode("ascii", "backslashreplace")

    def skip(self, size: int) -> None:
        """Go over bytes, which have to be there."""
        self.offset += size
        if self.offset > self._source.size:
            raise _Ended


def walk(source: Source) -> Stream:
    """Walk the stream up to the end of RAM; the devices come from its own description.

    Raises:
        CorruptDump: it contradicts itself.
        UnsupportedDump: its RAM is kept in a way that isn't read here.
    """
    stream = Stream()
    cursor = _Cursor(source)
    try:
        cursor.take(4)
        version = cursor.number(4)
        if version != _VERSION:
            raise UnsupportedDump(
                f"a migration stream of version {version}; known is {_VERSION}", path=source.path
            )
        _Walker(source, cursor, stream).run()
    except _Ended:
        stream.problem = f"cut off inside the RAM section, at {cursor.offset:#x}"
    stream.devices = _described_devices(source)
    return stream


class _Walker:
    """One walk; ``self._ram`` is the number of the RAM section once it has begun."""

    def __init__(self, source: Source, cursor: _Cursor, stream: Stream) -> None:
        self._source = source
        self._cursor = cursor
        self._stream = stream
        self._ram = -1
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
            elif kind == _FOOTER:
                cursor.number(4)
            elif kind in (_START, _PART, _END):
                self._section(kind, offset)
            else:
                self._stream.problem = f"section type {kind:#x} at {offset:#x} before RAM is done"
                return

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
        found = [name for name in self._stream.capabilities if name in _UNREADABLE]
        if found:
            raise UnsupportedDump(
                f"a migration stream with {', '.join(found)}, whose RAM is not read here: "
                "dump the guest with `virsh dump --memory-only`",
                path=self._source.path,
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
        cursor, index = self._cursor, (word & _PAGE_MASK) // self._stream.page_size
        if index >= len(block.pages):
            raise self._corrupt(f"page {index} of block {block.name!r}, which is shorter", offset)
        if word & _PAGE:
            block.pages[index] = cursor.offset
            cursor.skip(self._stream.page_size)
        elif word & _FILL:
            block.pages[index] = FILLED | cursor.number(1)
        elif word & _COMPRESSED:
            block.pages[index] = PACKED | cursor.offset
            cursor.skip(cursor.number(4))
        else:
            block.pages[index] = DELTA
            cursor.number(1)
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
            pages = PageIndex(-(-length // size), budget, path)
            stream.blocks[name] = Block(name, length, pages)

    def _corrupt(self, problem: str, offset: int) -> CorruptDump:
        return CorruptDump(f"migration stream: {problem}", path=self._source.path, offset=offset)


def _described_devices(source: Source) -> tuple[str, ...]:
    """The device sections, from the JSON that QEMU appends (since 2.3); none if it is missing.

    At the very end: the type byte 6, the length in 32 bits, the text.
    """
    tail = source.pread(max(source.size - _MAX_DESCRIPTION, 0), _MAX_DESCRIPTION)
    for match in _DESCRIPTION.finditer(tail):
        if match.end() + int.from_bytes(match[1], "big") == len(tail):
            break
    else:
        return ()
    devices = islice(_DEVICE.finditer(tail, match.end()), _MAX_DEVICES)
    return tuple(
        f"{found[1].decode('ascii', 'backslashreplace')}/{int(found[2])}" for found in devices
    )
