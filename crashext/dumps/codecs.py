# SPDX-License-Identifier: GPL-3.0-or-later
"""How a kdump page is compressed, by the flag in its descriptor.

The flags are makedumpfile's ``DUMP_DH_COMPRESSED_*`` (diskdump_mod.h) and
QEMU's (include/sysemu/dump.h). No codec gives more than it was asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple


class Codec(NamedTuple):
    """One compression: its name, and ``decode(data, size)``.

    ``decode`` returns the first ``size`` bytes of the page (fewer if the data
    holds fewer, or more where the library knows no limit of its own), and
    raises an exception in ``errors`` for data that does not decode.
    """

    name: str
    decode: Callable[[bytes, int], bytes]


class DecodeError(Exception):
    """The data does not decode; the message says how."""


class CodecMissing(Exception):
    """The library of a codec isn't installed; the message names its package."""


def _stored(data: bytes, size: int) -> bytes:
    return data[:size]


def _zlib(data: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, size)
    except zlib.error as error:
        raise DecodeError(str(error)) from None


def _lzo(data: bytes, size: int) -> bytes:
    lzo = _library("lzo", "python-lzo")
    try:
        return bytes(lzo.decompress(data, False, size))
    except lzo.error as error:
        raise DecodeError(str(error)) from None


def _library(module: str, package: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise CodecMissing(
            f"its pages need the Python package {package}, which isn't installed"
        ) from None


RAW = 0

CODECS: dict[int, Codec] = {
    RAW: Codec("none", _stored),
    0x01: Codec("zlib", _zlib),
    0x02: Codec("lzo", _lzo),
}

KNOWN_FLAGS = 0x01 | 0x02 | 0x04 | 0x20
"""The compression bits of a header's status and of a page's flags."""


def name_of(status: int) -> str:
    """The compression that a header's ``status`` announces."""
    return {0x01: "zlib", 0x02: "lzo", 0x04: "snappy", 0x20: "zstd"}.get(
        status & KNOWN_FLAGS, "none"
    )
