# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressing the pages of a kdump.

The flags are makedumpfile's ``DUMP_DH_COMPRESSED_*`` (diskdump_mod.h). A codec's library is
imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ...errors import UnsupportedDump

Encode = Callable[[bytes], bytes]


class Encoder(NamedTuple):
    """One compression: the flag of its pages, and what compresses one."""

    flag: int
    encode: Encode


def encoder_of(name: str) -> Encoder:
    """The compression of that name: zlib, lzo, snappy, zstd or none.

    Raises:
        UnsupportedDump: its library isn't installed.
        KeyError: there is no such compression.
    """
    flag, make, package = _ENCODERS[name]
    try:
        return Encoder(flag, make())
    except ImportError:
        raise UnsupportedDump(
            f"compressing with {name} needs the Python package {package} (pip install {package})",
            path="--compress",
        ) from None


def _zlib() -> Encode:
    """The fastest deflate there is, at the level that makedumpfile and QEMU use."""
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return lambda page: zlib.compress(page, 1)
    compress: Callable[[bytes, int], bytes] = isal_zlib.compress
    return lambda page: compress(page, 1)


def _lzo() -> Encode:
    import lzo

    compress: Callable[[bytes, int, bool], bytes] = lzo.compress
    return lambda page: compress(page, 1, False)


def _snappy() -> Encode:
    import snappy

    return lambda page: bytes(snappy.compress(page))


def _zstd() -> Encode:
    import zstandard

    return zstandard.ZstdCompressor(level=1, write_checksum=False).compress


def _none() -> Encode:
    return bytes


_ENCODERS: dict[str, tuple[int, Callable[[], Encode], str]] = {
    "none": (0x00, _none, ""),
    "zlib": (0x01, _zlib, "zlib"),
    "lzo": (0x02, _lzo, "python-lzo"),
    "snappy": (0x04, _snappy, "python-snappy"),
    "zstd": (0x20, _zstd, "zstandard"),
}
