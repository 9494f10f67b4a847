# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a kdump as QEMU and makedumpfile do (dump/dump.c, makedumpfile.c)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

FLAG = {"none": 0, "zlib": 1, "lzo": 2, "snappy": 4, "zstd": 0x20}

# Offset and struct code of each main-header field.
_MAIN: dict[int, dict[str, tuple[int, str]]] = {
    64: {"tv_sec": (408, "q"), "status": (424, "I"), "block_size": (428, "I"),
         "sub_hdr_size": (432, "I"), "bitmap_blocks": (436, "I"), "max_mapnr": (440, "I"),
         "nr_cpus": (460, "I")},
    32: {"tv_sec": (404, "i"), "status": (412, "I"), "block_size": (416, "I"),
         "sub_hdr_size": (420, "I"), "bitmap_blocks": (424, "I"), "max_mapnr": (428, "I"),
         "nr_cpus": (448, "I")},
}  # fmt: skip
# Offset and code of each sub-header field, and the version that brought it.
_SUB: dict[str, dict[str, tuple[int, str, int]]] = {
    "64": {"phys_base": (0, "Q", 1), "dump_level": (8, "I", 1), "split": (12, "I", 2),
           "start_pfn": (16, "Q", 2), "end_pfn": (24, "Q", 2),
           "offset_vmcoreinfo": (32, "Q", 3), "size_vmcoreinfo": (40, "Q", 3),
           "offset_note": (48, "Q", 4), "size_note": (56, "Q", 4),
           "offset_eraseinfo": (64, "Q", 5), "size_eraseinfo": (72, "Q", 5),
           "start_pfn_64": (80, "Q", 6), "end_pfn_64": (88, "Q", 6), "max_mapnr_64": (96, "Q", 6)},
    "32": {"phys_base": (0, "I", 1), "dump_level": (4, "I", 1), "split": (8, "I", 2),
           "start_pfn": (12, "I", 2), "end_pfn": (16, "I", 2),
           "offset_vmcoreinfo": (20, "Q", 3), "size_vmcoreinfo": (28, "I", 3),
           "offset_note": (32, "Q", 4), "size_note": (40, "I", 4),
           "offset_eraseinfo": (44, "Q", 5), "size_eraseinfo": (52, "I", 5),
           "start_pfn_64": (56, "Q", 6), "end_pfn_64": (64, "Q", 6), "max_mapnr_64": (72, "Q", 6)},
    "32p": {"phys_base": (0, "I", 1), "dump_level": (4, "I", 1), "split": (8, "I", 2),
            "start_pfn": (12, "I", 2), "end_pfn": (16, "I", 2),
            "offset_vmcoreinfo": (24, "Q", 3), "size_vmcoreinfo": (32, "I", 3),
            "offset_note": (40, "Q", 4), "size_note": (48, "I", 4),
            "offset_eraseinfo": (56, "Q", 5), "size_eraseinfo": (64, "I", 5),
            "start_pfn_64": (72, "Q", 6), "end_pfn_64": (80, "Q", 6),
            "max_mapnr_64": (88, "Q", 6)},
}  # fmt: skip
_SUB_SIZE = {"64": 104, "32": 80, "32p": 96}


@dataclass
class Kdump:
    """What to write. ``pages`` maps a frame to its contents; ``excluded`` frames exist only."""

    pages: dict[int, bytes]
    excluded: frozenset[int] = frozenset()
    bits: int = 64
    order: str = "little"
    version: int = 6
    block_size: int = 4096
    codec: str = "zlib"
    padded: bool = False
    notes: bytes = b""
    vmcoreinfo: bytes = b""
    eraseinfo: bytes = b""
    status: int = 0
    machine: bytes = b"x86_64"
    sysname: bytes = b""
    dump_level: int = 1
    phys_base: int = 0
    nr_cpus: int = 1
    part: tuple[int, int] | None = None
    one_bitmap: bool = False
    max_mapnr: int = 0
    overrides: dict[str, int] = field(default_factory=dict)

    def write(self) -> bytes:
        """The whole file."""
        block = self.block_size
        layout = "64" if self.bits == 64 else "32p" if self.padded else "32"
        last = self.max_mapnr or max((*self.pages, *self.excluded), default=0) + 1
        note_at = block + _SUB_SIZE[layout]
        tail = self.notes + self.vmcoreinfo + self.eraseinfo
        sub_blocks = -(-(_SUB_SIZE[layout] + len(tail)) // block)
        area = ((last + 7) // 8 + block - 1) // block * block
        values = {
            "status": FLAG[self.codec] | self.status, "block_size": block,
            "sub_hdr_size": sub_blocks,
            "bitmap_blocks": (1 if self.one_bitmap else 2) * area // block,
            "max_mapnr": min(last, 0xFFFFFFFF), "nr_cpus": self.nr_cpus,
            "phys_base": self.phys_base, "dump_level": self.dump_level,
            "offset_note": note_at if self.notes else 0, "size_note": len(self.notes),
            "max_mapnr_64": last,
        }  # fmt: skip
        if self.vmcoreinfo:
            values["offset_vmcoreinfo"] = note_at + len(self.notes)
            values["size_vmcoreinfo"] = len(self.vmcoreinfo)
        if self.eraseinfo:
            values["offset_eraseinfo"] = note_at + len(self.notes) + len(self.vmcoreinfo)
            values["size_eraseinfo"] = len(self.eraseinfo)
        if self.part:
            values |= {"split": 1, "start_pfn": self.part[0], "end_pfn": self.part[1]}
            values |= {"start_pfn_64": self.part[0], "end_pfn_64": self.part[1]}
        values |= self.overrides
        image = bytearray(block * (1 + sub_blocks))
        self._header(image, values, layout)
        image[note_at : note_at + len(tail)] = tail
        bitmaps = [self.pages.keys()] if self.one_bitmap else [
            {*self.pages, *self.excluded}, self.pages.keys()
        ]  # fmt: skip
        for frames in bitmaps:
            bitmap = bytearray(area)
            for pfn in frames:
                bitmap[pfn // 8] |= 1 << pfn % 8
            image += bitmap
        return bytes(image + self._pages(len(image)))

    def _header(self, image: bytearray, values: dict[str, int], layout: str) -> None:
        mark = "<" if self.order == "little" else ">"
        image[0:8] = b"KDUMP   "
        struct.pack_into(mark + "I", image, 8, self.version)
        image[12 : 12 + len(self.sysname)] = self.sysname
        image[272 : 272 + len(self.machine)] = self.machine
        for name, (offset, code) in _MAIN[self.bits].items():
            struct.pack_into(mark + code, image, offset, values.get(name, 0))
        for name, (offset, code, since) in _SUB[layout].items():
            # What a version doesn't have is left as rubbish, so that reading it shows.
            mask = (1 << 8 * struct.calcsize("=" + code)) - 1
            value = values.get(name, 0) if self.version >= since else 0xA5A5A5A5A5A5A5A5
            struct.pack_into(mark + code, image, self.block_size + offset, value & mask)

    def _pages(self, table: int) -> bytes:
        mark = "<" if self.order == "little" else ">"
        first, last = self.part or (0, 1 << 63)
        frames = [pfn for pfn in sorted(self.pages) if first <= pfn < last]
        zero_at = table + 24 * len(frames)
        descs, data = bytearray(), bytearray(self.block_size)
        for pfn in frames:
            page = self.pages[pfn]
            if not page.strip(b"\0"):
                descs += struct.pack(mark + "QIIQ", zero_at, self.block_size, 0, 0)
                continue
            packed = compress(self.codec, page)
            flag = FLAG[self.codec]
            if len(packed) >= self.block_size:
                packed, flag = page, 0
            descs += struct.pack(mark + "QIIQ", zero_at + len(data), len(packed), flag, 0)
            data += packed
        return bytes(descs + data)


def compress(codec: str, page: bytes) -> bytes:
    """One page in the codec, with the calls the writers of dumps make."""

    def lzo(data: bytes) -> bytes:
        import lzo

        return bytes(lzo.compress(data, 1, False))

    def snappy(data: bytes) -> bytes:
        import snappy

        return bytes(snappy.compress(data))

    def zstd(data: bytes) -> bytes:
        import zstandard

        return zstandard.ZstdCompressor().compress(data)

    table: dict[str, Callable[[bytes], bytes]] = {
        "none": bytes, "zlib": lambda data: zlib.compress(data, 1),
        "lzo": lzo, "snappy": snappy, "zstd": zstd,
    }  # fmt: skip
    return table[codec](page)
