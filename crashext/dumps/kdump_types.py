# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of a kdump-compressed file, field for field.

Sources: makedumpfile's ``diskdump_mod.h`` (``struct disk_dump_header``,
``struct kdump_sub_header``, ``page_desc_t``), QEMU's include/sysemu/dump.h.
Fields keep their names; sizes and offsets are in bytes unless said otherwise.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from ..errors import CorruptDump
from .base import ByteOrder
from .source import Source

SIGNATURE = b"KDUMP   "
NEWEST_VERSION = 6
STATUS_INCOMPLETE = 0x08
STATUS_EXCLUDED_VMEMMAP = 0x10

_MARK: dict[ByteOrder, str] = {"little": "<", "big": ">"}
_UTSNAME_FIELDS = ("sysname", "nodename", "release", "version", "machine", "domainname")

# signature, header_version, utsname, padding, timestamp (tv_sec, tv_usec), then ten 32-bit
# numbers from status to nr_cpus. The 64-bit timeval is aligned to 8.
_MAIN = {32: "8sI390s2x2i10I", 64: "8sI390s6x2q10I"}


class SubLayout(NamedTuple):
    """One way compilers laid out ``struct kdump_sub_header``."""

    name: str
    bits: int
    format: str


# Fields in order: phys_base, dump_level, split, start_pfn, end_pfn, then offset and size of
# vmcoreinfo, note and eraseinfo, then start_pfn_64, end_pfn_64, max_mapnr_64. A 32-bit compiler
# that aligns 64-bit numbers to 8 (arm, mips) pads; i386 doesn't, and QEMU packs for every target.
SUB_LAYOUTS = (
    SubLayout("64-bit", 64, "Q2i2QqQqQqQ3Q"),
    SubLayout("32-bit packed", 32, "I2i2IqIqIqI3Q"),
    SubLayout("32-bit padded", 32, "I2i2I4xqI4xqI4xqI4x3Q"),
)
# The header version that brought each of those fields.
_SINCE = (1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6)

PAGE_DESC = {"little": struct.Struct("<qIIQ"), "big": struct.Struct(">qIIQ")}
"""``page_desc_t``: offset, size, flags, page_flags."""


class Utsname(NamedTuple):
    """``struct new_utsname`` of the dumped kernel; QEMU fills machine alone."""

    sysname: str
    nodename: str
    release: str
    version: str
    machine: str
    domainname: str


class KdumpHeader(NamedTuple):
    """Main header and sub-header together.

    A sub-header field newer than ``header_version`` is 0. ``start_pfn``,
    ``end_pfn`` and ``max_mapnr`` are the 64-bit ones where there are any;
    ``phys_base`` is as stored, unsigned. ``layout`` names the sub-header's layout.
    """

    bits: int
    byte_order: ByteOrder
    layout: str
    header_version: int
    utsname: Utsname
    timestamp: tuple[int, int]
    status: int
    block_size: int
    sub_hdr_size: int
    bitmap_blocks: int
    max_mapnr: int
    total_ram_blocks: int
    device_blocks: int
    written_blocks: int
    current_cpu: int
    nr_cpus: int
    phys_base: int = 0
    dump_level: int = 0
    split: int = 0
    start_pfn: int = 0
    end_pfn: int = 0
    offset_vmcoreinfo: int = 0
    size_vmcoreinfo: int = 0
    offset_note: int = 0
    size_note: int = 0
    offset_eraseinfo: int = 0
    size_eraseinfo: int = 0

    @property
    def bitmap_offset(self) -> int:
        """Where the first bitmap starts."""
        return (1 + self.sub_hdr_size) * self.block_size

    @property
    def bitmap_bytes(self) -> int:
        """Bytes of one bitmap that hold page frames."""
        return (self.max_mapnr + 7) // 8

    @property
    def two_bitmaps(self) -> bool:
        """Whether a bitmap of dumped pages follows that of existing ones (crash's rule)."""
        return self.bitmap_blocks * self.block_size >= 2 * self._bitmap_area

    @property
    def _bitmap_area(self) -> int:
        return -(-self.bitmap_bytes // self.block_size) * self.block_size

    @property
    def descriptors_offset(self) -> int:
        """Where the page descriptors start."""
        return (1 + self.sub_hdr_size + self.bitmap_blocks) * self.block_size


def read_header(source: Source) -> KdumpHeader:
    """Read and check both headers.

    Raises:
        CorruptDump: no byte order and width gives a header that makes sense.
    """
    raw = source.exactly(0, struct.calcsize("<" + _MAIN[64]), "the kdump header")
    order = _byte_order(raw, source.path)
    main = next((m for bits in (64, 32) if (m := _main(raw, order, bits))), None)
    if main is None:
        raise CorruptDump(
            "the kdump header makes no sense as a 64-bit or a 32-bit one "
            "(block_size, sub_hdr_size, bitmap_blocks, max_mapnr)",
            path=source.path,
            offset=0,
        )
    return _with_sub_header(main, source)


def _byte_order(raw: bytes, path: str) -> ByteOrder:
    """The order in which header_version is a small number."""
    for order in _MARK:
        if 0 < int.from_bytes(raw[8:12], order) < 256:
            return order
    raise CorruptDump(f"header_version {raw[8:12].hex()} is absurd", path=path, offset=8)


def _main(raw: bytes, order: ByteOrder, bits: int) -> KdumpHeader | None:
    """The main header read as ``bits`` wide, or None if it can't be that."""
    fields = struct.unpack_from(_MARK[order] + _MAIN[bits], raw)
    _, version, utsname, seconds, microseconds, *numbers = fields
    header = KdumpHeader(
        bits, order, "", version, _utsname(utsname), (seconds, microseconds), *numbers
    )
    size = header.block_size
    sane = (
        size & (size - 1) == 0
        and 1024 <= size <= 1 << 20
        and 0 < header.sub_hdr_size < 1 << 20
        and header.bitmap_blocks > 0
        and header.bitmap_bytes <= header.bitmap_blocks * size
    )
    return header if sane else None


def _utsname(raw: bytes) -> Utsname:
    parts = (raw[at : at + 65].split(b"\0", 1)[0] for at in range(0, 390, 65))
    return Utsname(*(part.decode("ascii", "backslashreplace") for part in parts))


def _with_sub_header(main: KdumpHeader, source: Source) -> KdumpHeader:
    candidates = [
        header
        for layout in SUB_LAYOUTS
        if layout.bits == main.bits and (header := _sub(main, layout, source))
    ]
    header = next((h for h in candidates if _plausible(h, main, source)), candidates[0])
    if header.bitmap_bytes > header.bitmap_blocks * header.block_size:
        raise CorruptDump(
            f"max_mapnr {header.max_mapnr:#x} needs more than the {header.bitmap_blocks} "
            "blocks of the bitmaps",
            path=source.path,
            offset=header.block_size,
        )
    return header


def _sub(main: KdumpHeader, layout: SubLayout, source: Source) -> KdumpHeader:
    """``main`` completed with the sub-header read in ``layout``."""
    unpacker = struct.Struct(_MARK[main.byte_order] + layout.format)
    raw = source.exactly(main.block_size, unpacker.size, "the kdump sub-header")
    values = [
        value if main.header_version >= since else 0
        for value, since in zip(unpacker.unpack(raw), _SINCE, strict=True)
    ]
    *fields, start_pfn_64, end_pfn_64, max_mapnr_64 = values
    names = KdumpHeader._fields
    changes: dict[str, Any] = dict(zip(names[names.index("phys_base") :], fields, strict=True))
    if main.header_version >= NEWEST_VERSION:
        changes |= {"start_pfn": start_pfn_64, "end_pfn": end_pfn_64, "max_mapnr": max_mapnr_64}
    return main._replace(layout=layout.name, **changes)


def _plausible(header: KdumpHeader, main: KdumpHeader, source: Source) -> bool:
    """Whether a sub-header layout fits: areas inside the file, max_mapnr as in the main header."""
    areas = (
        (header.offset_vmcoreinfo, header.size_vmcoreinfo),
        (header.offset_note, header.size_note),
        (header.offset_eraseinfo, header.size_eraseinfo),
    )
    return min(header.max_mapnr, 0xFFFFFFFF) == main.max_mapnr and all(
        (offset > 0 or size == 0) and 0 <= offset + size <= source.size for offset, size in areas
    )
