# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of a new kdump, field for field (header version 6).

From makedumpfile's ``diskdump_mod.h`` (``struct disk_dump_header``, ``struct
kdump_sub_header``, ``page_desc_t``) and QEMU's include/sysemu/dump.h; declared apart from
the reader's, so that one can be held against the other.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ..headers import Headers

_VERSION = 6
_NAME = 65  # __NEW_UTS_LEN + 1

# signature, header_version, utsname, (padding), timestamp as two longs, status, block_size,
# sub_hdr_size, bitmap_blocks, max_mapnr, total_ram_blocks, device_blocks, written_blocks,
# current_cpu, nr_cpus. The 64-bit timeval is aligned to 8.
_MAIN = {64: "8s I 390s 6x 2q 10I", 32: "8s I 390s 2x 2i 10I"}
# phys_base, dump_level, split, start_pfn, end_pfn, offset and size of vmcoreinfo, note and
# eraseinfo, start_pfn_64, end_pfn_64, max_mapnr_64. QEMU packs it for 32-bit guests.
_SUB = {64: "Q 2i 2Q qQ qQ qQ 3Q", 32: "I 2i 2I qI qI qI 3Q"}


def page_desc(byte_order: str) -> struct.Struct:
    """``page_desc_t``: offset, size, flags, page_flags."""
    return struct.Struct(("<" if byte_order == "little" else ">") + "qIIQ")


class Layout(NamedTuple):
    """Where the parts of a kdump lie, in bytes from its start."""

    bitmaps: int
    bitmap_size: int
    descriptors: int
    data: int


class KdumpHeaders:
    """Main header, sub-header and notes of a kdump of ``count`` blocks below ``max_mapnr``."""

    def __init__(self, headers: Headers, max_mapnr: int, count: int) -> None:
        self._headers = headers
        self._max_mapnr = max_mapnr
        self._notes, self._text = headers.notes_area()
        block = headers.page_size
        self._sub = struct.Struct(self._mark + _SUB[headers.bits])
        self._sub_blocks = -(-(self._sub.size + len(self._notes)) // block)
        self._bitmap_blocks = -(-max(max_mapnr, 1) // (8 * block))
        size = self._bitmap_blocks * block
        bitmaps = (1 + self._sub_blocks) * block
        table = bitmaps + 2 * size
        desc = page_desc(headers.byte_order).size
        self.layout = Layout(bitmaps, size, table, table + count * desc)

    @property
    def _mark(self) -> str:
        return "<" if self._headers.byte_order == "little" else ">"

    def pack(self, status: int, dump_level: int) -> bytes:
        """All bytes before the bitmaps; ``status`` are the flags of the compression."""
        headers, block = self._headers, self._headers.page_size
        uts = headers.utsname
        names = (uts.sysname, uts.nodename, uts.release, uts.version, uts.machine, uts.domainname)
        main = struct.pack(
            self._mark + _MAIN[headers.bits],
            *(b"KDUMP   ", _VERSION, b"".join(map(_name, names)), *headers.timestamp),
            *(status, block, self._sub_blocks, 2 * self._bitmap_blocks),
            *(min(self._max_mapnr, 0xFFFFFFFF), 0, 0, 0, 0, headers.nr_cpus),
        )
        notes_at = block + self._sub.size
        text = (notes_at + self._text.start, len(self._text)) if self._text else (0, 0)
        notes = (notes_at, len(self._notes)) if self._notes else (0, 0)
        sub = self._sub.pack(
            *((headers.phys_base or 0) & ((1 << headers.bits) - 1), dump_level, 0, 0, 0),
            *(*text, *notes, 0, 0),
            *(0, 0, self._max_mapnr),
        )
        return main.ljust(block, b"\0") + sub + self._notes


def _name(text: str) -> bytes:
    """A field of ``struct new_utsname``; what was escaped on reading keeps its escapes."""
    return text.encode("ascii", "replace")[: _NAME - 1].ljust(_NAME, b"\0")
