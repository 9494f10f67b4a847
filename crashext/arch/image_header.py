# SPDX-License-Identifier: GPL-3.0-or-later
"""The header that boot loaders know an Image by: arm64's, which riscv64 took over.

Documentation/arch/arm64/booting.rst, Documentation/arch/riscv/boot-image-header.rst.
"""

from __future__ import annotations

import struct

from .base import Evidence, Search, View

NAME = "image_header"
MEANING = "the header that boot loaders know an image by stands at its start"
MAGIC_OFFSET = 0x38
SIZE = 0x40
#: text_offset, image_size, flags.
_HEADER = struct.Struct("<8x3Q")
_BIG_ENDIAN = 1
#: The largest images have some 100 MiB.
_MAX_IMAGE = 256 << 20


def image_size(head: bytes, magic: bytes) -> int | None:
    """Bytes in memory, .bss included, of the image that starts with ``head``.

    None where that is no header, or not a sane one; arm64 before 3.17 left the size 0.
    """
    if len(head) < SIZE or not head.startswith(magic, MAGIC_OFFSET):
        return None
    _text_offset, size, flags = _HEADER.unpack_from(head)
    return size if 0 < size <= _MAX_IMAGE and not flags & _BIG_ENDIAN else None


def check(search: Search, image: View, start: int | None, magic: bytes) -> Evidence:
    """The image starts with a header, at physical ``start``.

    That it has none refutes nothing: kernels free the page that it lies in (arm64 since 5.11).
    """
    head = None if start is None else search.memory.get(start, SIZE)
    size = None if head is None else image_size(head, magic)
    if size is None:
        return Evidence(NAME, "freed and used again, or not in the dump")
    return Evidence(NAME, f"an Image of {size:#x} bytes", True)
