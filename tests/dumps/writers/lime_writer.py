# SPDX-License-Identifier: GPL-3.0-or-later
"""Write memory as LiME and AVML do: LiME doc/README.md, AVML src/image.rs, src/io/snappy.rs."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import snappy

Ranges = Iterable[tuple[int, bytes]]

_CHUNK = 1 << 16
_ELIDED = 16 << 20


def lime_header(first: int, last: int, magic: bytes = b"EMiL", version: int = 1) -> bytes:
    return magic + struct.pack("<I2QQ", version, first, last, 0)


def lime(ranges: Ranges) -> bytes:
    """One header and its bytes for each range."""
    return b"".join(lime_header(at, at + len(data) - 1) + data for at, data in ranges)


def frames(data: bytes) -> bytes:
    """A snappy stream of chunks of 64 KiB."""
    packer = snappy.StreamCompressor()
    parts = [packer.compress(data[at : at + _CHUNK]) for at in range(0, len(data), _CHUNK)]
    return b"".join(parts)


def avml_block(at: int, data: bytes) -> bytes:
    packed = frames(data)
    head = lime_header(at, at + len(data) - 1, b"AVML", 2)
    return head + packed + struct.pack("<Q", len(packed))


def avml(ranges: Ranges) -> bytes:
    """Blocks of 16 MiB, those of zeros left out."""
    return b"".join(
        avml_block(start + at, data[at : at + _ELIDED])
        for start, data in ranges
        for at in range(0, len(data), _ELIDED)
        if data[at : at + _ELIDED].strip(b"\0")
    )
