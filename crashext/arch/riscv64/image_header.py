# SPDX-License-Identifier: GPL-3.0-or-later
"""The header that a riscv64 Image starts with (Documentation/arch/riscv/boot-image-header.rst)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..base import Evidence, Search, View
from .layout import IMAGE_ALIGN

NAME = "image_header"
MAGIC_OFFSET, MAGIC = 0x38, b"RSC\x05"
SIZE = 0x40
#: The older magic number, which kernels still have.
_OLD_OFFSET, _OLD_MAGIC = 0x30, b"RISCV\0\0\0"
#: text_offset, image_size, flags.
_HEADER = struct.Struct("<8x3Q")
_BIG_ENDIAN = 1
#: The largest images have some 100 MiB.
_MAX_IMAGE = 256 << 20


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """``image_size`` in bytes, .bss included."""

    image_size: int


def parse(data: bytes) -> ImageHeader | None:
    """The header in the first bytes of an image; None if that is none, or not a sane one."""
    if len(data) < SIZE or not data.startswith(MAGIC, MAGIC_OFFSET):
        return None
    _text_offset, size, flags = _HEADER.unpack_from(data)
    if not data.startswith(_OLD_MAGIC, _OLD_OFFSET) or flags & _BIG_ENDIAN:
        return None
    return ImageHeader(size) if 0 < size <= _MAX_IMAGE else None


def check(search: Search, image: View) -> Evidence:
    """The image starts with a header: the page it is in stays the kernel's."""
    text = image.text_vaddr
    start = None if text is None else image.paddr(text) & -IMAGE_ALIGN
    data = None if start is None else search.memory.get(start, SIZE)
    if data is None:
        return Evidence(NAME, "not in the dump")
    header = parse(data)
    if header is None:
        return Evidence(NAME, "none there", False)
    return Evidence(NAME, f"an Image of {header.image_size:#x} bytes", True)
