# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that somebody compressed as a whole: .gz, .bz2, .xz, .zst."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple, cast

from ..errors import UnsupportedDump
from .blocks import BlockSource, XzSource, ZstdSource, zstd_is_whole
from .source import Source
from .unpacked import Progress, unpack


def _gzip(file: BinaryIO) -> BinaryIO:
    """isal takes a third of the time that zlib does."""
    try:
        from isal import igzip
    except ImportError:
        import gzip

        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    return cast(BinaryIO, cast(Any, igzip).IGzipFile(fileobj=file))


def _bzip2(file: BinaryIO) -> BinaryIO:
    import bz2

    return cast(BinaryIO, bz2.BZ2File(file))


def _xz(file: BinaryIO) -> BinaryIO:
    import lzma

    return cast(BinaryIO, lzma.LZMAFile(file))


def _zstd(file: BinaryIO) -> BinaryIO:
    import zstandard

    # Windows up to that of `zstd --long=31`.
    unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    return cast(BinaryIO, unpacker.stream_reader(file, read_across_frames=True))


class _Wrapper(NamedTuple):
    magic: bytes
    name: str
    stream: Callable[[BinaryIO], BinaryIO]
    blocks: Callable[[Source], BlockSource | None] | None = None
    package: str = ""


_WRAPPERS = (
    _Wrapper(b"\x1f\x8b", "gzip", _gzip),
    _Wrapper(b"BZh", "bzip2", _bzip2),
    _Wrapper(b"\xfd7zXZ\0", "xz", _xz, XzSource.of, "python-xz"),
    _Wrapper(b"", "zstd", _zstd, ZstdSource.of, "zstandard"),
)


def unwrap(source: Source, check: Callable[[bytes, str], Any], progress: Progress | None) -> Source:
    """The dump inside a compressed file.

    ``check`` is called with the first unpacked bytes and the path before anything
    more is unpacked; it raises if they start no dump that is read here.

    Raises:
        UnsupportedDump: a Python package that it needs isn't installed.
        UnreadableDump: it does not unpack, or there is no room for it.
    """
    start = source.pread(0, 8)
    wrapper = next(w for w in _WRAPPERS if start.startswith(w.magic))
    try:
        blocks = wrapper.blocks(source) if wrapper.blocks else None
        if blocks is None:
            whole = wrapper.name != "zstd" or zstd_is_whole(source)
            return unpack(source, wrapper.stream, check, progress, whole)
        check(blocks.pread(0, 4096), source.path)
        return blocks
    except ImportError:
        raise UnsupportedDump(
            f"compressed with {wrapper.name}: reading it needs the Python package "
            f"{wrapper.package}, which isn't installed",
            path=source.path,
        ) from None
