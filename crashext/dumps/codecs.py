# SPDX-License-Identifier: GPL-3.0-or-later
"""How a kdump page is compressed, by the flag in its descriptor.

The flags are makedumpfile's ``DUMP_DH_COMPRESSED_*`` (diskdump_mod.h) and
QEMU's (include/sysemu/dump.h). Whatever the data claims, no codec makes more
than the page it was asked for: a page of a hostile dump is no bomb. A codec's
library is imported when its first page is read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import local
from typing import Any, NamedTuple


class DecodeError(Exception):
    """The data does not decode; the message says how."""


class CodecMissing(Exception):
    """The library of a codec isn't installed; the message names its package."""


class Codec(NamedTuple):
    """One compression.

    ``decode(data, size)`` returns the page of ``size`` bytes or raises
    :class:`DecodeError`; a result of another length is for the caller to see.
    ``head(data, size)`` gives the page's first bytes, unchecked and cheaper;
    None where the codec can only do the whole page.
    """

    name: str
    decode: Callable[[bytes, int], bytes]
    head: Callable[[bytes, int], bytes] | None = None


def _stored(data: bytes, size: int) -> bytes:
    return data


def _zlib(data: bytes, size: int) -> bytes:
    inflater, failure = _inflate()
    stream = inflater()
    try:
        # One more byte than wanted, so that the stream gets to its end and checksum.
        page: bytes = stream.decompress(data, size + 1)
    except failure as error:
        raise DecodeError(str(error)) from None
    if not stream.eof:
        raise DecodeError("the zlib stream does not end with the page")
    return page


@cache
def _inflate() -> tuple[Any, Any]:
    """The fastest inflate there is: its decompressobj, and its error.

    For a page of 4 KiB of an idle guest isal takes 8 us, zlib 13 us.
    """
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return zlib.decompressobj, zlib.error
    return isal_zlib.decompressobj, isal_zlib.error


def _zlib_head(data: bytes, size: int) -> bytes:
    """3 us for 64 bytes, for which isal needs as long as for a page."""
    import zlib

    try:
        return zlib.decompressobj().decompress(data, size)
    except zlib.error as error:
        raise DecodeError(str(error)) from None


def _lzo(data: bytes, size: int) -> bytes:
    lzo = library("lzo", "python-lzo")
    try:
        return bytes(lzo.decompress(data, False, size))
    except lzo.error as error:
        raise DecodeError(str(error)) from None


def _snappy(data: bytes, size: int) -> bytes:
    snappy = library("snappy", "python-snappy")
    length = snappy_length(data)
    if length > size:
        raise DecodeError(f"it says that it decodes to {length} bytes")
    try:
        return bytes(snappy.uncompress(data))
    except snappy.UncompressError as error:
        raise DecodeError(f"invalid snappy data {error}".strip()) from None


def snappy_length(data: bytes) -> int:
    """The uncompressed length: a little-endian base-128 number in front (snappy's format)."""
    length = 0
    for index, byte in enumerate(data[:5]):
        length |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return length
    raise DecodeError("the length in front of the snappy data does not end")


def _zstd(data: bytes, size: int) -> bytes:
    zstandard = library("zstandard", "zstandard")
    try:
        # Without this the library makes room for whatever the frame's header claims.
        if zstandard.frame_content_size(data) > size:
            raise DecodeError("it says that it decodes to more than a page")
        return bytes(_zstd_context().decompress(data, max_output_size=size))
    except zstandard.ZstdError as error:
        raise DecodeError(str(error)) from None


_thread = local()


def _zstd_context() -> Any:
    """This thread's decompressor: making one costs 7 us, and it can't be shared."""
    if not hasattr(_thread, "zstd"):
        _thread.zstd = library("zstandard", "zstandard").ZstdDecompressor()
    return _thread.zstd


@cache
def library(module: str, package: str) -> Any:
    """The module that a codec needs, which ``package`` has.

    Raises:
        CodecMissing: it isn't installed.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise CodecMissing(
            f"its pages need the Python package {package}, which isn't installed "
            f"(pip install {package}, or Debian's python3-{module})"
        ) from None


CODECS: dict[int, Codec] = {
    0x00: Codec("none", _stored, _stored),
    0x01: Codec("zlib", _zlib, _zlib_head),
    0x02: Codec("lzo", _lzo),
    0x04: Codec("snappy", _snappy),
    0x20: Codec("zstd", _zstd),
}
"""By the flag of a page descriptor, which is also the bit in the header's status."""

COMPRESSION_FLAGS = 0x01 | 0x02 | 0x04 | 0x20


def decoding_steps(page_size: int) -> int:
    """Steps of work for a page: 4 KiB of zlib take 8 us, 1 MiB of lzo 5 ms."""
    return 10 + (page_size >> 8)


def codec_of(flags: int) -> Codec | None:
    """The codec of a page's flags or a header's status; None where several bits are set."""
    return CODECS.get(flags & COMPRESSION_FLAGS)
