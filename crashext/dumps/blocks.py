# SPDX-License-Identifier: GPL-3.0-or-later
"""A compressed file of independent blocks, read in place: multi-block xz, multi-frame zstd."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from ..errors import CorruptDump
from .cache import PageCache
from .source import Source

LARGEST = 64 << 20
"""A block of more bytes is no random access: such a file is unpacked as a whole."""

_CACHED = 128 << 20
_XZ_HEADER = 12


class Block(NamedTuple):
    """``packed`` bytes at ``place`` of the file, which unpack to ``size`` bytes."""

    place: int
    packed: int
    size: int


class BlockSource(Source):
    """The unpacked image; each block is unpacked when first read, and a few are kept."""

    def __init__(self, inner: Source, blocks: Sequence[Block]) -> None:
        self.path = inner.path
        self._inner = inner
        self._blocks = blocks
        self._ends = list(accumulate(block.size for block in blocks))
        self.size = self._ends[-1]
        # Nothing may be believed larger than what 1000:1 compression can give.
        self.stored = min(self.size, inner.size * 1000)
        self._cache = PageCache(max(block.size for block in blocks), _CACHED)

    @abstractmethod
    def unpack(self, block: Block, data: bytes) -> bytes:
        """The ``block.size`` bytes that ``data`` unpacks to, or a ValueError."""

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the image, see :meth:`Source.pread`."""
        parts = []
        end = min(offset + size, self.size)
        while offset < end:
            index = bisect_right(self._ends, offset)
            start = self._ends[index] - self._blocks[index].size
            parts.append(self._block(index)[offset - start : end - start])
            offset += len(parts[-1])
        return b"".join(parts)

    def _block(self, index: int) -> bytes:
        data = self._cache.get(index)
        if data is None:
            block = self._blocks[index]
            try:
                data = self.unpack(block, self._inner.pread(block.place, block.packed))
            except ValueError as error:
                raise CorruptDump(
                    f"a compressed block does not unpack: {error}",
                    path=self.path,
                    offset=block.place,
                ) from None
            self._cache.put(index, data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._inner.close()


class XzSource(BlockSource):
    """A .xz file of one stream with several blocks (``xz -T0``, ``xz --block-size``)."""

    def unpack(self, block: Block, data: bytes) -> bytes:
        """Unpack one block, made a stream of its own."""
        import lzma

        # The one byte more makes it go on to the block's checksum.
        stream = self._inner.pread(0, _XZ_HEADER) + data
        try:
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=256 << 20)
            unpacked = unpacker.decompress(stream, block.size + 1)
        except lzma.LZMAError as error:
            raise ValueError(str(error)) from None
        if len(unpacked) != block.size:
            raise ValueError(f"{len(unpacked)} bytes instead of {block.size}")
        return unpacked

    @classmethod
    def of(cls, inner: Source) -> XzSource | None:
        """The file as blocks, or None where they are too large, or several streams."""
        from xz.common import XZError, parse_xz_footer, parse_xz_index

        end = inner.size
        try:
            _, index_size = parse_xz_footer(inner.pread(end - 12, 12))
            start = end - 12 - index_size
            records = parse_xz_index(inner.exactly(start, index_size, "the xz index"))
        except (XZError, CorruptDump):
            return None
        blocks = []
        place = _XZ_HEADER
        for packed, size in records:
            blocks.append(Block(place, packed + -packed % 4, size))
            place = sum(blocks[-1][:2])
        return cls(inner, blocks) if place == start and usable(blocks) else None


class ZstdSource(BlockSource):
    """A .zst file of several frames (pzstd, the seekable format)."""

    def unpack(self, block: Block, data: bytes) -> bytes:
        """Unpack one frame."""
        import zstandard

        try:
            unpacked = zstandard.ZstdDecompressor().decompress(data, max_output_size=block.size)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None
        if len(unpacked) != block.size:
            raise ValueError(f"{len(unpacked)} bytes instead of {block.size}")
        return unpacked

    @classmethod
    def of(cls, inner: Source) -> ZstdSource | None:
        """The file as frames, or None where they are too large or don't tell their size."""
        blocks = []
        for block in _frames(inner):
            if block.size < 0:
                return None
            if block.size:
                blocks.append(block)
        return cls(inner, blocks) if usable(blocks) else None


def zstd_is_whole(source: Source) -> bool:
    """Whether the last frame ends within the file: a stream reader doesn't tell."""
    return all(block.place + block.packed <= source.size for block in _frames(source))


def usable(blocks: Sequence[Block]) -> bool:
    """Whether blocks are there and small enough for random access."""
    return bool(blocks) and all(0 < b.size <= LARGEST and b.packed <= LARGEST for b in blocks)


_SKIPPABLE = tuple(bytes([n, 0x2A, 0x4D, 0x18]) for n in range(0x50, 0x60))


def _frames(source: Source) -> Iterator[Block]:
    """The frames by walking their block headers (RFC 8878); size -1 where it isn't told."""
    import zstandard

    place = 0
    while place < source.size:
        head = source.pread(place, 18)
        if head[:4] in _SKIPPABLE:
            place += 8 + int.from_bytes(head[4:8], "little")
            continue
        try:
            facts = zstandard.get_frame_parameters(head)
            at = place + zstandard.frame_header_size(head)
        except zstandard.ZstdError:
            yield Block(place, source.size + 1, -1)
            return
        last = False
        while not last:
            header = int.from_bytes(source.pread(at, 3), "little")
            last = bool(header & 1) or at >= source.size
            at += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
        at += 4 if facts.has_checksum else 0
        unknown = facts.content_size in (-1, (1 << 64) - 1) or at > source.size
        yield Block(place, at - place, -1 if unknown else facts.content_size)
        place = at
