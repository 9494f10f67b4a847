# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files that claim to be large: each makes a reader that believes it work or swell."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from .kdump_writer import FLAG, Kdump, compress

PAGE = 4096
_EHDR = "<2HI3QI6H"
_PHDR = "<2I6Q"


def elf(loads: list[tuple[int, int, int, int]], notes: tuple[int, int] = (0, 0)) -> bytes:
    """An ELF core's headers. ``loads`` are p_offset, p_paddr, p_filesz and p_memsz."""
    count = 1 + len(loads)
    # More than PN_XNUM - 1: the number is in section 0, which follows the table.
    wide = count >= 0xFFFF
    table = 64 + 56 * count
    shoff = table if wide else 0
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack(
        _EHDR, 4, 62, 1, 0, 64, shoff, 0, 64, 56, min(count, 0xFFFF), 64, int(wide), 0
    )
    place, size = notes if notes[0] else (table + (64 if wide else 0), 0)
    parts = [struct.pack(_PHDR, 4, 0, place, 0, 0, size, size, 0)]
    parts += [struct.pack(_PHDR, 1, 0, at, p, p, size, mem, 0) for at, p, size, mem in loads]
    section = bytes(44) + struct.pack("<I", count) + bytes(16) if wide else b""
    return ident + head + b"".join(parts) + section


def aliased(count: int, size: int, apart: int) -> bytes:
    """``count`` PT_LOADs of the same ``size`` bytes, ``apart`` from one another."""
    start = 64 + 56 * (count + 1) + 64
    place = -(-start // PAGE) * PAGE
    head = elf([(place, n * apart, size, size) for n in range(count)])
    return head.ljust(place, b"\0") + b"\x90" * size


def shared_page(codec: str, block: int, pages: int, page: bytes) -> bytes:
    """A kdump of ``pages`` whose descriptors all name one compressed page's data."""
    packed = compress(codec, page)
    image = Kdump(dict.fromkeys(range(pages), b""), block_size=block, codec=codec).write()
    head = image[: -24 * pages - block]  # without descriptors and the page of zeros
    desc = struct.pack("<QIIQ", len(image), len(packed), FLAG[codec], 0)
    return head + desc * pages + bytes(block) + packed


def huge_bitmap(path: Path, max_mapnr: int) -> None:
    """A kdump in few bytes on disk whose bitmaps are holes of ``max_mapnr`` bits."""
    blocks = -(-max_mapnr // 8 // PAGE)
    fields = {
        "bitmap_blocks": 2 * blocks, "max_mapnr": min(max_mapnr, 0xFFFFFFFF),
        "max_mapnr_64": max_mapnr,
    }  # fmt: skip
    head = Kdump({0: b""}, overrides=fields).write()[: 2 * PAGE]
    sparse(path, head, (2 + 2 * blocks) * PAGE)


def memory_sizes(records: int, size: int) -> bytes:
    """A migration stream that says again and again how much RAM there is."""
    out = b"QEVM" + struct.pack(">I", 3) + b"\x07" + struct.pack(">I", 2) + b"pc"
    out += b"\x01" + struct.pack(">I", 2) + b"\x03ram" + struct.pack(">II", 0, 4)
    for number in range(records):
        name = b"%08d" % number
        out += struct.pack(">Q", size | 4) + bytes([len(name)]) + name + struct.pack(">Q", size)
    return out + struct.pack(">Q", 0x10)


def sparse(path: Path, head: bytes, size: int) -> None:
    """A file of ``size`` bytes, of which only ``head`` is on disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
        os.fsync(file.fileno())  # so that the file system says how much is on disk
