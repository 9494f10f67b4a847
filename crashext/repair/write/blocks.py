# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of a new kdump from the pages of a dump: read, told from zeros, compressed.

What is done with a span of frames is done in a worker process; its answer is a code for
each: ``flags << 24 | bytes``, or one of the constants here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable

from ...dumps.base import Dump
from ...dumps.codecs import COMPRESSION_FLAGS
from ...dumps.kdump import KdumpDump
from ...errors import CorruptDump, ExcludedPage, MissingMemory
from .compress import Encoder
from .frames import Span

ZERO, EXCLUDED, UNREADABLE = 0, -1, -2
SIZE = 0xFFFFFF
_FLAGS = 24


Packing = Callable[[Span, memoryview], "array[int]"]
"""A way to fill the memory with the data of a span's blocks; answers their codes."""


class Compress:
    """Blocks of ``block`` bytes, compressed; where that doesn't help stored as they are."""

    def __init__(self, dump: Dump, block: int, encoder: Encoder) -> None:
        self._dump = dump
        self._block = block
        self._flag = encoder.flag << _FLAGS
        self._encode = encoder.encode
        self._zeros = bytes(block)
        self._starts = [r.start for r in dump.ram]

    def __call__(self, span: Span, memory: memoryview) -> array[int]:
        """Read and compress a span, see :data:`Packing`."""
        codes = array("i", bytes(4 * (span.last - span.first)))
        if span.zero:
            return codes[:0]
        block, used = self._block, 0
        try:
            data = self._read(span.first * block, span.last * block)
        except (MissingMemory, CorruptDump):
            data = b""
        zeros, encode, flag = self._zeros, self._encode, self._flag
        for index in range(len(codes)):
            page = data[index * block : (index + 1) * block]
            if not data:
                page, codes[index] = self._alone(span.first + index)
            if not page or page == zeros:
                continue
            packed, code = encode(page), flag
            size = len(packed)
            if size >= block:
                packed, size, code = page, block, 0
            codes[index] = code | size
            memory[used : used + size] = packed
            used += size
        return codes

    def _alone(self, frame: int) -> tuple[bytes, int]:
        """One block, or none and the code that says why not."""
        try:
            return self._read(frame * self._block, (frame + 1) * self._block), ZERO
        except ExcludedPage:
            return b"", EXCLUDED
        except (MissingMemory, CorruptDump):
            return b"", UNREADABLE

    def _read(self, start: int, end: int) -> bytes:
        """Memory, and zeros where the guest has none."""
        ram = self._dump.ram
        index = bisect_right(self._starts, start) - 1
        if index >= 0 and end <= ram[index].end:
            return self._dump.read(start, end - start)
        data = bytearray(end - start)
        for first, last in ram[max(index, 0) :]:
            if first >= end:
                break
            low, high = max(first, start), min(last, end)
            if low < high:
                data[low - start : high - start] = self._dump.read(low, high - low)
        return bytes(data)


class Copy:
    """The blocks of another kdump as they are stored, none inflated."""

    def __init__(self, dump: KdumpDump) -> None:
        self._dump = dump

    def __call__(self, span: Span, memory: memoryview) -> array[int]:
        """Copy what a span has, see :data:`Packing`."""
        if span.zero:
            return array("i")
        codes = array("i", [UNREADABLE]) * (span.last - span.first)
        used = 0
        for pfn, desc, data in self._dump.stored_pages(range(span.first, span.last)):
            code = (desc.flags & COMPRESSION_FLAGS) << _FLAGS | len(data)
            if len(data) in (0, self._dump.page_size):
                code = len(data)
            codes[pfn - span.first] = code
            memory[used : used + len(data)] = data
            used += len(data)
        return codes
