# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump written as kdump: headers, two bitmaps, page descriptors and data."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextlib import closing

from ...dumps.base import Dump
from ...dumps.kdump import KdumpDump
from ...dumps.kdump_types import KdumpHeader
from ..headers import Headers
from .blocks import EXCLUDED, SIZE, UNREADABLE, ZERO, Compress, Copy, Packing
from .compress import encoder_of
from .frames import Frames, Span
from .kdump_header import KdumpHeaders, page_desc
from .sink import Sink
from .workers import cores, in_order
from .written import Written

KEEP = "keep"
_CHUNK = 1 << 21  # bytes of memory that are a worker's piece
_TABLE = 1 << 16  # page descriptors written at a time
_ZERO_PAGES = 1  # dump_level: pages of zeros share one
_UNKNOWN_LEVEL = 31


def write_kdump(
    dump: Dump,
    headers: Headers,
    sink: Sink,
    *,
    compression: str,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Written:
    """Write the memory of ``dump`` as a kdump with ``headers``.

    Blocks are of ``headers.page_size`` bytes; one that isn't all there in the guest is
    filled up with zeros, as QEMU does. What the dump left out is left out, and so is what
    can't be read of it, which is counted.

    Args:
        compression: zlib, lzo, snappy, zstd or none; keep: that of ``dump``, pages of a kdump
            of the same blocks copied as they are stored.
        threads: how many processes work; as many as there are cores without it.
        progress: called with the fraction done.

    Raises:
        UnsupportedDump: a codec's library isn't installed, or the memory goes up too high.
        DumpError: the dump's file can't be read any longer.
        OSError: writing failed.
    """
    frames = Frames(dump, headers.page_size)
    packing, flag = _packing(dump, headers.page_size, compression)
    if isinstance(packing, Copy):
        threads = 1  # the file system is what takes time
    level = _level_of(dump, frames.filtered)
    writer = _Writer(frames, headers, sink)
    writer.begin(flag, level)
    blocks = max(_CHUNK // headers.page_size, 1)
    spans = frames.spans(blocks)
    room = blocks * headers.page_size
    threads = min(threads or cores(), -(-frames.count // blocks))
    with closing(in_order(_Numbered(packing), spans, room, threads)) as results:
        for (span, codes), memory in results:
            writer.add(span, codes, memory)
            if progress is not None:
                progress(span.last / frames.max_mapnr)
    return writer.end()


class _Numbered:
    """A packing that answers with the span, for who takes the results."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing

    def __call__(self, span: Span, memory: memoryview) -> tuple[Span, array[int]]:
        return span, self._packing(span, memory)


def _packing(dump: Dump, block: int, compression: str) -> tuple[Packing, int]:
    """How blocks are made, and the flag of their compression."""
    encoder = encoder_of(dump.compression if compression == KEEP else compression)
    if compression == KEEP and isinstance(dump, KdumpDump) and dump.page_size == block:
        return Copy(dump), encoder.flag
    return Compress(dump, block, encoder), encoder.flag


def _level_of(dump: Dump, filtered: bool) -> int:
    """makedumpfile's dump_level: which kinds of pages are not there.

    Nobody knows for what reason an ELF core lacks pages: any, then.
    """
    if not filtered:
        return _ZERO_PAGES
    header = dump.header
    level = header.dump_level if isinstance(header, KdumpHeader) else 0
    return level | _ZERO_PAGES if level > _ZERO_PAGES else _UNKNOWN_LEVEL


class _Writer:
    """Puts the parts of a kdump to their places as their contents come.

    The first block of the data is the page of zeros that all such pages share. Where pages
    turn out to be unreadable the table of descriptors ends up shorter than was planned, and
    unused room stays between it and the data.
    """

    def __init__(self, frames: Frames, headers: Headers, sink: Sink) -> None:
        self._frames = frames
        self._sink = sink
        self._block = headers.page_size
        self._made = KdumpHeaders(headers, frames.max_mapnr, frames.count)
        self._desc = page_desc(headers.byte_order)
        layout = self._made.layout
        self._layout = layout
        self._table, self._pending = layout.descriptors, bytearray()
        self._zero_desc = self._desc.pack(layout.data, self._block, 0, 0)
        self._next = layout.data + self._block
        self._result = Written()

    def begin(self, flag: int, level: int) -> None:
        """Write what is known already."""
        self._sink.write(0, self._made.pack(flag, level))
        self._sink.write(self._layout.bitmaps, self._frames.exists)
        self._sink.write(self._layout.data, bytes(self._block))

    def add(self, span: Span, codes: array[int], memory: memoryview) -> None:
        """Write the blocks of a span, whose data are in ``memory``."""
        if span.zero:
            self._zeros(span.last - span.first)
            return
        start = at = self._next
        pack, zero, descs = self._desc.pack, self._zero_desc, []
        for index, code in enumerate(codes):
            if code > 0:
                size = code & SIZE
                descs.append(pack(at, size, code >> 24, 0))
                at += size
            elif code == ZERO:
                descs.append(zero)
                self._result.zero_pages += 1
            else:
                self._leave_out(span.first + index, code)
        self._result.pages += len(descs)
        self._sink.write(start, memory[: at - start])
        self._next = at
        self._describe(b"".join(descs))

    def _zeros(self, count: int) -> None:
        self._result.pages += count
        self._result.zero_pages += count
        while count:
            step = min(count, _TABLE)
            self._describe(self._zero_desc * step)
            count -= step

    def _leave_out(self, frame: int, code: int) -> None:
        assert code in (EXCLUDED, UNREADABLE)
        self._frames.leave_out(frame)
        if code == UNREADABLE:
            self._result.lost(frame * self._block)

    def _describe(self, descs: bytes) -> None:
        self._pending += descs
        if len(self._pending) >= _TABLE:
            self._flush()

    def _flush(self) -> None:
        self._sink.write(self._table, self._pending)
        self._table += len(self._pending)
        self._pending = bytearray()

    def end(self) -> Written:
        """Write what was known last."""
        self._flush()
        second = self._layout.bitmaps + self._layout.bitmap_size
        self._sink.write(second, self._frames.dumped)
        self._sink.finish(self._next)
        self._result.bytes_written = self._sink.written
        return self._result
