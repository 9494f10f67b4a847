# SPDX-License-Identifier: GPL-3.0-or-later
"""A compressed file of independent blocks, read in place: multi-block xz, multi-frame zstd."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import BinaryIO, NamedTuple, cast

from ..errors import CorruptDump
from .block_cache import PIECE, BlockCache
from .source import ReadAhead, Source, SourceReader, Window

_XZ_HEADER = 12
_FRAME, _STEP = 8, 2  # steps of work that finding a frame takes, and a block in it
_BLOCK_SIZE = 256  # bytes of memory that knowing a block takes


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
        self.budget = inner.budget
        self._blocks = blocks
        self._ends = list(accumulate(block.size for block in blocks))
        self.size = self._ends[-1]
        self.stored = inner.stored
        self._cache = BlockCache(inner.budget.memory, inner.path)

    @abstractmethod
    def unpack(self, block: Block) -> Iterator[bytes]:
        """What a block unpacks to, in pieces of ``PIECE`` bytes; a ValueError if it does not."""

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the image, see :meth:`Source.pread`."""
        parts = []
        end = min(offset + size, self.size)
        while offset < end:
            index = bisect_right(self._ends, offset)
            block = self._blocks[index]
            skip = offset - self._ends[index] + block.size
            unpacked = self._cache.get(index, block.size, partial(self._unpacked, block))
            parts.append(unpacked[skip : skip + end - offset])
            offset += len(parts[-1])
        return b"".join(parts)

    def _unpacked(self, block: Block) -> Iterator[bytes]:
        """The pieces of a block, seen to be as long as they have to be."""
        length = 0
        try:
            for piece in self.unpack(block):
                length += len(piece)
                if length > block.size:
                    break
                yield piece
            if length != block.size:
                raise ValueError(f"{length} bytes instead of {block.size}")
        except ValueError as error:
            raise CorruptDump(
                f"a compressed block does not unpack: {error}", path=self.path, offset=block.place
            ) from None

    def identity(self) -> tuple[object, ...]:
        """That of the file, see :meth:`Source.identity`."""
        return *self._inner.identity(), "blocks"

    def close(self) -> None:
        """Close the file, and forget the blocks."""
        self._cache.close()
        self._inner.close()


class XzSource(BlockSource):
    """A .xz file of one stream with several blocks (``xz -T0``, ``xz --block-size``)."""

    def unpack(self, block: Block) -> Iterator[bytes]:
        """Unpack one block, made a stream of its own."""
        import lzma

        from .xz_stream import decompressor, refuse_dictionary

        unpacker = decompressor(self.budget.room)
        left, at, end = block.size, block.place, block.place + block.packed
        try:
            unpacker.decompress(self._inner.pread(0, _XZ_HEADER))
            while left > 0 or at < end:  # behind the data is their checksum
                packed = b""
                if unpacker.needs_input:
                    packed = self._inner.pread(at, min(PIECE, end - at))
                    if not packed:
                        return
                at += len(packed)
                piece = unpacker.decompress(packed, min(PIECE, left + 1))
                left -= len(piece)
                yield piece
        except lzma.LZMAError as error:
            refuse_dictionary(error, self.budget, self.path)
            raise ValueError(str(error)) from None


class ZstdSource(BlockSource):
    """A .zst file of several frames (pzstd, the seekable format)."""

    def unpack(self, block: Block) -> Iterator[bytes]:
        """Unpack one frame."""
        import zstandard

        # A frame may end in an empty block, and the library reads on into the next frame then.
        packed = SourceReader(Window(self._inner, block.place, block.packed))
        unpacker = zstandard.ZstdDecompressor(max_window_size=max(self.budget.room, 1 << 10))
        try:
            with unpacker.stream_reader(cast(BinaryIO, packed)) as reader:
                # The one byte more makes it go on to the frame's checksum.
                for _ in range(0, block.size + 1, PIECE):
                    yield reader.read(PIECE)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None


def xz_blocks(inner: Source, speed: int) -> tuple[XzSource | None, bool]:
    """The .xz file as blocks, or None where they are too large, or several streams.

    ``speed`` is how many bytes are unpacked in a step of work. The second answer is False
    where the file is known to be cut off.
    """
    from xz.common import XZError, parse_xz_footer, parse_xz_index

    end = inner.size
    if end < 2 * _XZ_HEADER:  # its footer is as long
        return None, True
    try:
        _, index_size = parse_xz_footer(inner.pread(end - 12, 12))
        start = end - 12 - index_size
        # A block takes two bytes of the index at least.
        inner.budget.check(index_size // 2 * _BLOCK_SIZE, "the index of its blocks", inner.path)
        records = parse_xz_index(inner.exactly(start, index_size, "the xz index"))
    except (XZError, CorruptDump):
        return None, True
    inner.budget.hold(len(records) * _BLOCK_SIZE, "the index of its blocks", inner.path)
    blocks = []
    place = _XZ_HEADER
    for packed, size in records:
        blocks.append(Block(place, packed + -packed % 4, size))
        place = sum(blocks[-1][:2])
    usable = place == start and _usable(blocks, inner, speed)
    return XzSource(inner, blocks) if usable else None, True


def zstd_frames(inner: Source, speed: int) -> tuple[ZstdSource | None, bool]:
    """The .zst file as frames, as :func:`xz_blocks` does.

    Whether the last frame ends within the file, a stream reader doesn't tell.
    """
    frames = []
    for frame in _frames(inner):
        inner.budget.hold(_BLOCK_SIZE, "the index of its frames", inner.path)
        frames.append(frame)
    whole = all(frame.place + frame.packed <= inner.size for frame in frames)
    blocks = [frame for frame in frames if frame.size]
    return ZstdSource(inner, blocks) if _usable(blocks, inner, speed) else None, whole


def _largest(source: Source) -> int:
    """A block of more bytes is no random access: such a file is unpacked as a whole."""
    return source.budget.memory // 3


def _usable(blocks: Sequence[Block], inner: Source, speed: int) -> bool:
    """Whether blocks are there, small, and not more than the file's size makes likely."""
    most = _largest(inner)
    small = bool(blocks) and all(0 < b.size <= most and b.packed <= most for b in blocks)
    return small and sum(b.size for b in blocks) <= inner.work("").left * speed


_SKIPPABLE = tuple(bytes([n, 0x2A, 0x4D, 0x18]) for n in range(0x50, 0x60))


def _frames(source: Source) -> Iterator[Block]:
    """The frames by walking their block headers (RFC 8878); size -1 where it isn't told."""
    import zstandard

    place, work, head_at = 0, source.work("finding its frames"), ReadAhead(source)
    while place < source.size:
        work.spend(_FRAME)
        head = head_at(place, 18)
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
            work.spend(_STEP)
            header = int.from_bytes(head_at(at, 3), "little")
            last = bool(header & 1) or at >= source.size
            at += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
        at += 4 if facts.has_checksum else 0
        unknown = facts.content_size in (-1, (1 << 64) - 1) or at > source.size
        yield Block(place, at - place, -1 if unknown else facts.content_size)
        place = at
