# SPDX-License-Identifier: GPL-3.0-or-later
"""A file with a few parts replaced, and perhaps a little longer: seen, not written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..budget import Budget
from ..dumps.base import Dump
from ..dumps.elf import ElfDump
from ..dumps.kdump import KdumpDump
from ..dumps.source import Source


def source_of(dump: Dump) -> Source | None:
    """The dump's one file, containers taken off; None where it is no one file."""
    return dump.source if isinstance(dump, ElfDump | KdumpDump) else None


class Patch(NamedTuple):
    """Bytes to stand at ``offset`` of a file; they may go beyond its end."""

    offset: int
    data: bytes

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + len(self.data)


class Overlay(Source):
    """The bytes of ``inner`` with ``patches`` put over them; where they overlap the last wins.

    Between the old end and a patch behind it there are zeros.
    """

    def __init__(
        self, inner: Source, patches: Sequence[Patch], budget: Budget | None = None
    ) -> None:
        """Put ``patches`` over ``inner``; ``budget`` is that of ``inner`` if not given."""
        self.inner = inner
        self.patches = tuple(patches)
        self.path = inner.path
        self.budget = budget or inner.budget
        self.size = max([inner.size, *(p.end for p in patches)])
        self.stored = inner.stored + sum(len(p.data) for p in patches)
        self.complete = inner.complete
        self.flattened = inner.flattened
        self.warnings = inner.warnings

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the overlaid file, see :meth:`crashext.dumps.source.Source.pread`."""
        size = max(min(size, self.size - offset), 0)
        below = self.inner.pread(offset, size)
        over = [p for p in self.patches if p.offset < offset + size and offset < p.end]
        if not over and len(below) == size:
            return below
        data = bytearray(below.ljust(size, b"\0"))
        for patch in over:
            start, end = max(patch.offset, offset), min(patch.end, offset + size)
            data[start - offset : end - offset] = patch.data[
                start - patch.offset : end - patch.offset
            ]
        return bytes(data)

    def holds(self, offset: int, size: int) -> bool:
        """Whether the bytes are there, see :meth:`crashext.dumps.source.Source.holds`."""
        covered = any(p.offset <= offset and offset + size <= p.end for p in self.patches)
        return covered or self.inner.holds(offset, size)

    def identity(self) -> tuple[object, ...]:
        """That of the file, and the patches."""
        import hashlib

        digest = hashlib.sha256(repr(self.patches).encode()).hexdigest()
        return *self.inner.identity(), digest

    def close(self) -> None:
        """Close the file."""
        self.inner.close()
