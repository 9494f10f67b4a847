# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that AVML wrote inside the guest, compressed: LiME's headers, version 2, and snappy.

Layout: AVML src/image.rs and src/io/snappy.rs. Behind each header is a stream of snappy's framing
format (google/snappy framing_format.txt), whose chunks unpack to 64 KiB at most, and behind that
its length in 64 bits. A header does not tell that length: chunk after chunk is gone over.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from ..errors import CorruptDump, UnsupportedDump
from .blocks import Block, BlockSource
from .codecs import CodecMissing, DecodeError, library, snappy_length
from .lime import HEADER, LimeHeader, read_header
from .magic import AVML
from .pieces import Pieces, PiecesDump
from .source import ReadAhead, Source

_VERSION = 2

_IDENTIFIER = b"\xff\x06\x00\x00sNaPpY"
_COMPRESSED, _PLAIN, _SKIPPABLE = 0x00, 0x01, 0x80
_HEAD = 4  # bytes of a chunk's header: its kind, and its length in 24 bits
_CHECKSUM = 4
_LARGEST = 1 << 16  # bytes that a chunk unpacks to
_BLOCK = 1 << 20  # bytes that are unpacked at a time, a few chunks
_BLOCK_SIZE = 256  # bytes of memory that knowing a block takes


class _Unpacked(BlockSource):
    """The ranges without their headers."""

    def unpack(self, block: Block) -> Iterator[bytes]:
        """Unpack some chunks, whose checksums have to be right."""
        at, end = block.place, block.place + block.packed
        while at < end:
            kind, size = _kind(self._inner.pread(at, _HEAD))
            if kind in (_COMPRESSED, _PLAIN):
                yield _unpack(self._inner.pread(at, _HEAD + size))
            at += _HEAD + size


def _unpack(chunk: bytes) -> bytes:
    snappy = library("snappy", "python-snappy")
    try:
        return bytes(snappy.StreamDecompressor().decompress(_IDENTIFIER + chunk))
    except Exception as error:  # the library's own differ from version to version
        raise ValueError(str(error) or type(error).__name__) from None


class AvmlDump(PiecesDump):
    """Ranges of the guest's RAM, unpacked as they are read."""

    format = "avml"
    compression = "snappy"

    def __init__(self, source: Source) -> None:
        """Go over the chunks of all ranges.

        Raises:
            CorruptDump: there is no header or chunk where one should be, or it can't be true.
            UnsupportedDump: the library that unpacks them is missing.
            OverBudget: there are too many.
        """
        try:
            library("snappy", "python-snappy")
        except CodecMissing as missing:
            raise UnsupportedDump(str(missing), path=source.path) from None
        walk = _Walk(source)
        walk.run()
        super().__init__(_Unpacked(source, walk.blocks), walk.pieces)
        self.header = LimeHeader(_VERSION, walk.ranges)
        self.complete = source.complete
        self.warnings = source.warnings
        if walk.cut:
            self._cut_off(source.size, walk.cut)


class _Walk:
    """Where the ranges are in the unpacked image, and the blocks of that image in the file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._headers = ReadAhead(source)
        self._work = source.work("going over the chunks")
        self._image = 0  # bytes of it so far
        self.pieces = Pieces(source)
        self.blocks: list[Block] = []
        self.ranges = 0
        self.cut = ""

    def run(self) -> None:
        """Go from header to header; a range that the file has only a part of is cut."""
        source, place = self._source, 0
        for self.ranges in count():
            if source.size - place < HEADER.size:
                self.cut = "a header" if place < source.size else ""
                break
            start, size = read_header(source, place, AVML, _VERSION, self.pieces.end)
            begin = place + HEADER.size
            place, unpacked = self._range(begin, size)
            if unpacked:
                self.pieces.add(start, unpacked, self._image)
                self._image += unpacked
            if unpacked < size or not self._trailer(place, begin):
                self.cut = "a range of memory"
                break
            place += 8
        if not self.blocks:
            raise CorruptDump("no memory in it", path=source.path)

    def _trailer(self, place: int, begin: int) -> bool:
        """Whether the length of the stream is there, which has to be right."""
        raw = self._headers(place, 8)
        if len(raw) == 8 and int.from_bytes(raw, "little") != place - begin:
            said = int.from_bytes(raw, "little")
            raise self._corrupt(f"{said} bytes instead of the {place - begin} there are", place)
        return len(raw) == 8

    def _range(self, place: int, size: int) -> tuple[int, int]:
        """End of the chunks from ``place`` on that make ``size`` bytes, and how many there are."""
        done, first, before = 0, place, 0
        while done < size and place < self._source.size:
            self._work.spend(2)
            kind, length = _kind(self._headers(place, _HEAD))
            if place + _HEAD + length > self._source.size:
                break
            done += self._unpacked_size(kind, length, place)
            place += _HEAD + length
            if done > size:
                raise self._corrupt(f"{done} bytes in a range of {size}", place)
            if done - before >= _BLOCK or done == size:
                self._keep(Block(first, place - first, done - before))
                first, before = place, done
        if done > before:
            self._keep(Block(first, place - first, done - before))
        return place, done

    def _keep(self, block: Block) -> None:
        if block.packed > 2 * _BLOCK:
            raise self._corrupt(f"a block of {block.packed} bytes in between", block.place)
        budget = self._source.budget
        budget.hold(_BLOCK_SIZE, "the index of its blocks", self._source.path)
        self.blocks.append(block)

    def _unpacked_size(self, kind: int, length: int, place: int) -> int:
        """The bytes that a chunk unpacks to."""
        if kind >= _SKIPPABLE:
            return 0
        at = place + _HEAD + _CHECKSUM
        if kind == _PLAIN:
            size = length - _CHECKSUM
        elif kind == _COMPRESSED:
            try:
                size = snappy_length(self._headers(at, 5))
            except DecodeError as error:
                raise self._corrupt(str(error), place) from None
        else:
            raise self._corrupt(f"a chunk of kind {kind:#x}", place)
        if not 0 < size <= _LARGEST:
            raise self._corrupt(f"a chunk that unpacks to {size} bytes", place)
        return size

    def _corrupt(self, problem: str, place: int) -> CorruptDump:
        return CorruptDump(f"snappy: {problem}", path=self._source.path, offset=place)


def _kind(head: bytes) -> tuple[int, int]:
    """Kind of the chunk that begins so, and how many bytes follow its header."""
    return (head[0], int.from_bytes(head[1:], "little")) if len(head) == _HEAD else (0, 1 << 24)
