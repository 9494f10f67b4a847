# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simple tool does: inflate every page of a kdump and look for VMCOREINFO in it.

The loop does nothing else, so it is a lower bound for tools that search so.
``python -m bench.naive FILE`` prints how many pages start with it.
"""

from __future__ import annotations

import mmap
import struct
import sys
import zlib
from pathlib import Path

DESCRIPTOR = struct.Struct("<QIIQ")


def count(path: str) -> int:
    """Blocks of a plain zlib kdump, little-endian 64-bit, with a page that starts so."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as image:
        block, sub, bitmaps = struct.unpack_from("<III", image, 428)
        at = (1 + sub + bitmaps) * block
        bits = image[(1 + sub + bitmaps // 2) * block : at]
        pages = int.from_bytes(bits, "little").bit_count()
        found = 0
        for offset, size, flags, _ in DESCRIPTOR.iter_unpack(image[at : at + 24 * pages]):
            data = image[offset : offset + size]
            page = zlib.decompress(data) if flags & 1 else data
            found += any(page.startswith(b"OSRELEASE=", at) for at in range(0, block, 4096))
        return found


if __name__ == "__main__":
    print(count(sys.argv[1]))
