# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump of any format as an ELF core, its memory read as it is asked for.

The headers are those of ``write.elf_file``, which writes such a core; nothing of it lies anywhere.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain

from ...budget import Budget
from ...dumps.base import Dump
from ...dumps.source import FileSource, Source
from ...errors import CorruptDump, MissingMemory
from ..elf_layout import core_of, header_size, pack
from ..headers import Headers
from ..write.segments import Segments

_ALIGN = 4096  # of the memory in the file


class ElfImage(Source):
    """The bytes of the ELF core that ``dump`` would make, with ``headers``.

    What was left out of the dump is no memory of the core (p_filesz 0). What should be there
    and can't be read is an error where it is read. ``dump`` and ``headers`` are those given.
    """

    def __init__(self, dump: Dump, headers: Headers, paths: Sequence[str]) -> None:
        """Lay out the core of ``dump``, which is in the files ``paths``.

        Raises:
            UnsupportedDump: there is no such ELF core, or its memory is in too many ranges.
        """
        core, segments = core_of(headers, dump.path), Segments(dump)
        count = sum(1 for _ in segments.loads(0, (), headers.mappings))
        notes, _ = headers.notes_area()
        notes_at = header_size(core, 1 + count)
        place = -(-(notes_at + len(notes)) // _ALIGN) * _ALIGN
        loads = segments.loads(place, (), headers.mappings)
        start = pack(core, loads, count, (notes_at, len(notes))) + notes
        self.dump, self.headers, self._paths = dump, headers, tuple(paths)
        self._start = start.ljust(place, b"\0")
        self._places, self._paddrs = array("Q"), array("Q")
        self.size = place
        for first, last, there in segments:
            if there:
                self._places.append(self.size)
                self._paddrs.append(first)
                self.size += last - first
        self.path = dump.path
        self.budget = Budget()
        self.stored = len(self._start) + sum(r.size for r in dump.stored)
        self.complete = dump.complete
        self.warnings = dump.warnings

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the core, see :meth:`crashext.dumps.source.Source.pread`.

        Raises:
            CorruptDump: memory there can't be read.
        """
        end = min(offset + size, self.size)
        parts = [self._start[offset:end]]
        offset += len(parts[0])
        while offset < end:
            index = bisect_right(self._places, offset) - 1
            last = self._places[index + 1] if index + 1 < len(self._places) else self.size
            paddr = self._paddrs[index] + offset - self._places[index]
            parts.append(self._memory(paddr, min(end, last) - offset))
            offset += len(parts[-1])
        return b"".join(parts)

    def _memory(self, paddr: int, size: int) -> bytes:
        try:
            return self.dump.read(paddr, size)
        except MissingMemory as error:
            raise CorruptDump(str(error), path=self.path) from None

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """All of it: which pages are zeros is told by reading them."""
        yield start, min(end, self.size)

    def identity(self) -> tuple[object, ...]:
        """That of the files, and the headers."""
        import hashlib

        known = (FileSource(path).identity() for path in self._paths)
        return *chain.from_iterable(known), hashlib.sha256(self._start).hexdigest()

    def close(self) -> None:
        """Close the dump."""
        self.dump.close()
