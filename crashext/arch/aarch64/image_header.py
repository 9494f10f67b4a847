# SPDX-License-Identifier: GPL-3.0-or-later
"""The header that an arm64 Image starts with (Documentation/arch/arm64/booting.rst).

Kernels since 5.11 free the 64 KiB that it lies in: a running image may have lost it,
while copies that a boot loader left behind still have theirs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..base import Evidence, Search, View

NAME = "image_header"
MAGIC_OFFSET, MAGIC = 0x38, b"ARM\x64"
SIZE = 0x40
#: text_offset, image_size, flags.
_HEADER = struct.Struct("<8x3Q")
#: The largest images have some 100 MiB.
_MAX_IMAGE = 256 << 20
_PAGE_SIZES = {1: 4 << 10, 2: 16 << 10, 3: 64 << 10}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """``image_size`` in bytes, .bss included; ``page_size`` in bytes, None if not told."""

    image_size: int
    page_size: int | None


def parse(data: bytes) -> ImageHeader | None:
    """The header in the first bytes of an image; None if that is none, or not a sane one.

    Kernels before 3.17 left image_size 0.
    """
    if len(data) < SIZE or data[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] != MAGIC:
        return None
    _text_offset, size, flags = _HEADER.unpack_from(data)
    if not 0 < size <= _MAX_IMAGE or flags & 1:
        return None
    return ImageHeader(size, _PAGE_SIZES.get(flags >> 1 & 3))


def check(search: Search, image: View) -> Evidence:
    """The image starts with a header, of the page size that its tables have."""
    text = image.text_vaddr
    data = None if text is None else search.memory.get(image.paddr(text), SIZE)
    header = None if data is None else parse(data)
    if header is None:
        return Evidence(NAME, "freed and used again, or not in the dump")
    words = f"an Image of {header.image_size:#x} bytes"
    paging = image.paging
    if header.page_size is None or paging is None or header.page_size == paging.page_size:
        return Evidence(NAME, words, True)
    # Someone else's bytes may be there by now: that it differs refutes nothing.
    return Evidence(NAME, f"{words} with pages of {header.page_size} bytes")
