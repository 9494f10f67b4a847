# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump written as an ELF core, the way its readers expect one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from ...dumps.base import Dump, Stretch
from ...dumps.plain import PlainDump
from ...errors import CorruptDump, ExcludedPage, MissingMemory, UnsupportedDump
from ..elf_layout import core_of, header_size, pack
from ..headers import Headers
from .segments import Segments, joined
from .sink import Sink
from .workers import cores, in_order
from .written import Written

_CHUNK = 1 << 21  # bytes of memory that are a worker's piece
_ALIGN = 4096  # of the first memory in the file, so that holes and shared extents fit
# Program headers kept for ranges that turn out to be unreadable; a memory image has none,
# unless its file shrinks meanwhile. Each takes four at most.
_SPARE, _SPARE_OF_PLAIN, _EACH = 1 << 15, 16, 4
_PAGE = 4096
_ZEROS = bytes(_PAGE)


def write_elf(
    dump: Dump,
    headers: Headers,
    sink: Sink,
    *,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Written:
    """Write the memory of ``dump`` as an ELF core with ``headers``.

    Program headers follow the ELF header, then come the notes, then the memory, a PT_LOAD
    for each range; one without bytes in the file for a range that was left out, or can't be
    read (crash, libkdumpfile and makedumpfile read these as left out, or as zeros).

    Args:
        threads: how many processes read; as many as there are cores without it.
        progress: called with the fraction done.

    Raises:
        UnsupportedDump: there is no such ELF core, or its memory is in too many ranges.
        DumpError: the dump's file can't be read any longer.
        OSError: writing failed.
    """
    core, segments = core_of(headers, dump.path), Segments(dump)
    if dump.ram and dump.ram[-1].end > 1 << core.bits:
        raise UnsupportedDump(
            f"memory up to {dump.ram[-1].end:#x} does not go into an ELF core of "
            f"{headers.bits} bits",
            path=dump.path,
        )
    notes, _ = headers.notes_area()
    plain = isinstance(dump, PlainDump)
    spare = _SPARE_OF_PLAIN if plain and dump.complete else _SPARE
    most = sum(1 for _ in segments.loads(0, (), headers.mappings)) + spare
    place = -(-(header_size(core, 1 + most) + len(notes)) // _ALIGN) * _ALIGN
    threads = 1 if plain else min(threads or cores(), -(-segments.size // _CHUNK))
    copy = _Copy(sink, place, segments.size, spare // _EACH, progress)
    with closing(in_order(_Reading(dump), _chunks(dump), _CHUNK, threads)) as results:
        for (piece, bad, zeros), memory in results:
            copy.add(piece, bad, zeros, memory)
    lost = copy.all_lost()
    count = sum(1 for _ in segments.loads(place, lost, headers.mappings))
    notes_at = header_size(core, 1 + count)
    loads = segments.loads(place, lost, headers.mappings)
    sink.write(0, pack(core, loads, count, (notes_at, len(notes))) + notes)
    sink.finish(place + segments.size)
    copy.result.bytes_written = sink.written
    return copy.result


def _chunks(dump: Dump) -> Iterator[Stretch]:
    """The memory that is there, in pieces; what is known to be zeros in one."""
    for start, end, kind in dump.stretches():
        if kind == "zero":
            yield Stretch(start, end, kind)
        elif kind == "stored":
            for at in range(start, end, _CHUNK):
                yield Stretch(at, min(at + _CHUNK, end), kind)


class _Bad(NamedTuple):
    """Memory that can't be read; ``left_out`` where the dump says that it was left out."""

    start: int
    end: int
    left_out: bool


class _Reading:
    """Reads pieces of a dump, in a worker process."""

    def __init__(self, dump: Dump) -> None:
        self._dump = dump

    def __call__(self, piece: Stretch, memory: memoryview) -> tuple[Stretch, Sequence[_Bad], int]:
        """Fill ``memory``; answers what could not be read, and how many pages are zeros."""
        start, end, kind = piece
        if kind == "zero":
            return piece, (), (end - start) // _PAGE
        try:
            data = self._dump.read(start, end - start)
            bad: Sequence[_Bad] = ()
        except (MissingMemory, CorruptDump):
            data, bad = self._page_by_page(start, end)
        memory[: len(data)] = data
        pages = range(0, len(data), _PAGE)
        zeros = sum(data[at : at + _PAGE] == _ZEROS for at in pages if not data[at])
        return piece, bad, zeros - sum(b.end - b.start for b in bad) // _PAGE

    def _page_by_page(self, start: int, end: int) -> tuple[bytes, Sequence[_Bad]]:
        data, bad, step = bytearray(end - start), [], self._dump.page_size
        at = start
        while at < end:
            stop = min(at - at % step + step, end)
            try:
                data[at - start : stop - start] = self._dump.read(at, stop - at)
            except ExcludedPage:
                bad.append(_Bad(at, stop, True))
            except (MissingMemory, CorruptDump):
                bad.append(_Bad(at, stop, False))
            at = stop
        return bytes(data), bad


class _Copy:
    """Puts pieces to their places, and keeps count; of ``most`` lost ranges at most."""

    def __init__(
        self,
        sink: Sink,
        place: int,
        total: int,
        most: int,
        progress: Callable[[float], None] | None,
    ) -> None:
        self._sink = sink
        self._place = self._start = place
        self._total = total
        self._most = most
        self._progress = progress
        self._lost: list[tuple[int, int]] = []
        self.result = Written()

    def add(self, piece: Stretch, bad: Sequence[_Bad], zeros: int, memory: memoryview) -> None:
        """Write a piece, whose bytes are in ``memory``."""
        size = piece.end - piece.start
        if piece.kind == "stored":
            self._sink.write(self._place, memory[:size])
        self._place += size
        for start, end, left_out in bad:
            size -= end - start
            self._lost.append((start, end))
            if not left_out:
                self.result.lost(start)
        if len(self._lost) > 4 * self._most:
            self.all_lost()
        self.result.pages += size // _PAGE
        self.result.zero_pages += zeros
        if self._progress is not None:
            self._progress((self._place - self._start) / self._total)

    def all_lost(self) -> list[tuple[int, int]]:
        """The ranges that were lost, so many joined over what is readable between them that
        there is a program header for each; that counts as unreadable, then.
        """
        before = sum(end - start for start, end in self._lost)
        self._lost = joined(self._lost, self._most)
        pages = (sum(end - start for start, end in self._lost) - before) // _PAGE
        self.result.unreadable += pages
        self.result.pages -= pages
        return self._lost
