# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that somebody compressed as a whole: .gz, .bz2, .xz, .zst."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, cast

from ..errors import CorruptDump, UnreadableDump, UnsupportedDump
from .blocks import BlockSource, xz_blocks, zstd_frames
from .source import Source
from .unpacked import Packing, Progress, unpack


def _gzip(file: BinaryIO, source: Source) -> BinaryIO:
    """isal takes a third of the time that zlib does."""
    try:
        from isal import igzip
    except ImportError:
        import gzip

        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    return cast(BinaryIO, cast(Any, igzip).IGzipFile(fileobj=file))


def _bzip2(file: BinaryIO, source: Source) -> BinaryIO:
    import bz2

    return cast(BinaryIO, bz2.BZ2File(file))


def _xz(file: BinaryIO, source: Source) -> BinaryIO:
    from .xz_stream import XzReader

    return cast(BinaryIO, XzReader(file, source.budget, source.path))


def _zstd(file: BinaryIO, source: Source) -> BinaryIO:
    import zstandard

    with suppress(zstandard.ZstdError):  # a skippable frame has none
        window = zstandard.get_frame_parameters(source.pread(0, 18)).window_size
        source.budget.check(window, "the window of its compression", source.path)
    unpacker = zstandard.ZstdDecompressor(max_window_size=min(source.budget.room, _LARGEST_WINDOW))
    return cast(BinaryIO, unpacker.stream_reader(file, read_across_frames=True))


_LARGEST_WINDOW = 1 << 31  # that of `zstd --long=31`


class _Wrapper(NamedTuple):
    magic: bytes
    name: str
    packing: Packing
    blocks: Callable[[Source, int], tuple[BlockSource | None, bool]] | None = None
    package: str = ""


# The speeds are those of data that compresses well, on a slow machine; other data is
# unpacked more slowly, and there is less of it.
_WRAPPERS = (
    _Wrapper(b"\x1f\x8b", "gzip", Packing(_gzip, 1000)),
    _Wrapper(b"BZh", "bzip2", Packing(_bzip2, 300)),
    _Wrapper(b"\xfd7zXZ\0", "xz", Packing(_xz, 400), xz_blocks, "python-xz"),
    _Wrapper(b"", "zstd", Packing(_zstd, 2000), zstd_frames, "zstandard"),
)


def unwrap(source: Source, check: Callable[[bytes, str], Any], progress: Progress | None) -> Source:
    """The dump inside a compressed file.

    ``check`` is called with the first unpacked bytes and the path before anything
    more is unpacked; it raises if they start no dump that is read here.

    Raises:
        UnsupportedDump: a Python package that it needs isn't installed.
        CorruptDump: it does not unpack.
        UnreadableDump: there is no room for it.
        OverBudget: it unpacks to more than is allowed.
    """
    start = source.pread(0, 8)
    wrapper = next(w for w in _WRAPPERS if start.startswith(w.magic))
    try:
        blocks, whole = None, True
        if wrapper.blocks:
            blocks, whole = wrapper.blocks(source, wrapper.packing.speed)
        if blocks is None:
            return unpack(source, wrapper.packing, check, progress, whole)
        check(blocks.pread(0, 4096), source.path)
        return blocks
    except (CorruptDump, UnreadableDump) as error:
        problem = f"compressed with {wrapper.name}: {error.problem}"
        raise type(error)(problem, path=source.path, offset=error.offset) from None
    except ImportError:
        raise UnsupportedDump(
            f"compressed with {wrapper.name}: reading it needs the Python package "
            f"{wrapper.package}, which isn't installed (pip install {wrapper.package}, or unpack "
            f"it first: {wrapper.name} -d)",
            path=source.path,
        ) from None
