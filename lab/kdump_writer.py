# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer of 64-bit kdump-compressed files in 4 KiB blocks, plain or flattened.

It declares the headers itself, from makedumpfile's ``diskdump_mod.h`` and
``makedumpfile.h``: a writer that shared the reader's layout would prove nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from .elf_format import ByteOrder

BLOCK = 4096
_FLAT_DATA = 1 << 16

# struct disk_dump_header: signature, header_version, utsname, (pad), timestamp, status ... nr_cpus
_DISK_DUMP_HEADER = "8s I 390s 6x qq IIII IIIII I"
# struct kdump_sub_header of version 6
_KDUMP_SUB_HEADER = "Q ii QQ QQ QQ QQ QQQ"
_SUB_HEADER_SIZE = struct.calcsize("<" + _KDUMP_SUB_HEADER)
_PAGE_DESC = "Q I I Q"
_PAGE_DESC_SIZE = struct.calcsize("<" + _PAGE_DESC)
_UTSNAME_FIELD = 65
_COMPRESSED_ZLIB = 1


@dataclass(frozen=True, slots=True)
class KdumpFacts:
    """What a kdump's headers say besides the memory; defaults are what QEMU writes."""

    machine: str = "x86_64"
    byte_order: ByteOrder = "little"
    utsname: Mapping[str, str] = field(default_factory=dict)
    timestamp: tuple[int, int] = (0, 0)
    status: int = _COMPRESSED_ZLIB
    nr_cpus: int = 1
    phys_base: int = 0
    dump_level: int = 1
    notes: bytes = b""
    vmcoreinfo: tuple[int, int] = (0, 0)
    """Offset within ``notes`` and size of the VMCOREINFO text; size 0 if there is none."""

    def pack(self, layout: str, *values: int | bytes) -> bytes:
        """A structure in the guest's byte order."""
        return struct.pack(("<" if self.byte_order == "little" else ">") + layout, *values)


class _Sink(Protocol):
    def put(self, offset: int, data: bytes) -> None:
        """Place bytes in the image."""

    def finish(self) -> None:
        """All is placed."""


class _Plain:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def put(self, offset: int, data: bytes) -> None:
        self._file.seek(offset)
        self._file.write(data)

    def finish(self) -> None:
        pass


class _Flattened:
    """struct makedumpfile_header in a 4096-byte block, then offset/size records, big-endian."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = self._written = 0
        file.write(struct.pack(">16sqq", b"makedumpfile", 1, 1).ljust(BLOCK, b"\0"))

    def put(self, offset: int, data: bytes) -> None:
        for at in range(0, len(data), _FLAT_DATA):
            part = data[at : at + _FLAT_DATA]
            if any(part):  # a hole reads as zeros
                self._record(offset + at, part)
        self._end = max(self._end, offset + len(data))

    def _record(self, offset: int, data: bytes) -> None:
        self._file.write(struct.pack(">qq", offset, len(data)) + data)
        self._written = max(self._written, offset + len(data))

    def finish(self) -> None:
        if self._written < self._end:  # the image must not end in a hole
            self._record(self._end - 1, b"\0")
        self._file.write(struct.pack(">qq", -1, -1))


def write_kdump(
    file: BinaryIO,
    facts: KdumpFacts,
    *,
    ram: Iterable[tuple[int, int]],
    pages: Mapping[int, bytes],
    flattened: bool = False,
) -> None:
    """Write a dump of ``ram`` (byte ranges) that holds only ``pages`` (by address).

    A page of ``ram`` that is not in ``pages`` is marked as excluded: set in the first
    bitmap (memory that exists), clear in the second (pages in the file).
    """
    ranges = [(start // BLOCK, -(-end // BLOCK)) for start, end in ram]
    max_mapnr = max(end for _, end in ranges)
    bitmap_blocks = -(-max_mapnr // (8 * BLOCK))
    sub_blocks = -(-(_SUB_HEADER_SIZE + len(facts.notes)) // BLOCK)
    sink: _Sink = _Flattened(file) if flattened else _Plain(file)
    sink.put(0, _main_header(facts, sub_blocks, 2 * bitmap_blocks, max_mapnr))
    sink.put(BLOCK, _sub_header(facts, max_mapnr) + facts.notes)
    at = BLOCK * (1 + sub_blocks)
    exists, held = _existing(ranges, bitmap_blocks), bytearray(bitmap_blocks * BLOCK)
    for paddr in pages:
        held[paddr // BLOCK // 8] |= 1 << (paddr // BLOCK % 8)
    for bitmap in (exists, held):
        for block in range(0, len(bitmap), BLOCK):
            sink.put(at + block, bytes(bitmap[block : block + BLOCK]))
        at += len(bitmap)
    sink.put(at, _page_area(facts, at, pages))
    sink.finish()


def _main_header(facts: KdumpFacts, sub_blocks: int, bitmap_blocks: int, max_mapnr: int) -> bytes:
    names = ("sysname", "nodename", "release", "version", "machine", "domainname")
    uts = {"machine": facts.machine, **facts.utsname}
    utsname = b"".join(uts.get(name, "").encode().ljust(_UTSNAME_FIELD, b"\0") for name in names)
    return facts.pack(
        _DISK_DUMP_HEADER,
        *(b"KDUMP   ", 6, utsname, *facts.timestamp),
        *(facts.status, BLOCK, sub_blocks, bitmap_blocks),
        *(min(max_mapnr, 0xFFFFFFFF), 0, 0, 0, 0, facts.nr_cpus),
    )


def _sub_header(facts: KdumpFacts, max_mapnr: int) -> bytes:
    notes_at = BLOCK + _SUB_HEADER_SIZE
    info_at, info_size = facts.vmcoreinfo
    return facts.pack(
        _KDUMP_SUB_HEADER,
        *(facts.phys_base & 0xFFFFFFFFFFFFFFFF, facts.dump_level, 0, 0, 0),
        *((notes_at + info_at, info_size) if info_size else (0, 0)),
        *(notes_at, len(facts.notes), 0, 0),
        *(0, 0, max_mapnr),
    )


def _existing(ranges: Iterable[tuple[int, int]], blocks: int) -> bytearray:
    """A bitmap, least significant bit first, of the page frames of ``ranges``."""
    bits = bytearray(blocks * BLOCK)
    for start, end in ranges:
        first, last = -(-start // 8) * 8, end // 8 * 8
        for pfn in (*range(start, min(first, end)), *range(max(last, start), end)):
            bits[pfn // 8] |= 1 << (pfn % 8)
        if first < last:
            bits[first // 8 : last // 8] = b"\xff" * ((last - first) // 8)
    return bits


def _page_area(facts: KdumpFacts, at: int, pages: Mapping[int, bytes]) -> bytes:
    """Descriptors in the order of addresses, then the data; equal pages share theirs."""
    descriptors, data = [], bytearray()
    start = at + len(pages) * _PAGE_DESC_SIZE
    places: dict[bytes, tuple[int, int, int]] = {}
    for _, page in sorted(pages.items()):
        if page not in places:
            packed = zlib.compress(page, 9)
            small = len(packed) < BLOCK
            places[page] = (start + len(data), len(packed) if small else BLOCK, int(small))
            data += packed if small else page
        descriptors.append(facts.pack(_PAGE_DESC, *places[page], 0))
    return b"".join(descriptors) + bytes(data)
