# SPDX-License-Identifier: GPL-3.0-or-later
"""What looking at a dump costs the storage it lies on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ...budget import Budget
from ...dumps.source import FileSource


class Meter:
    """Bytes read, and requests for them; kept when the dump itself can't be opened."""

    def __init__(self) -> None:
        self.bytes_read = 0
        self.requests = 0

    def count(self, size: int) -> None:
        """Note a request that gave so many bytes."""
        self.bytes_read += size
        self.requests += 1


class MeteredFile(FileSource):
    """A local file whose reads are counted, and which tells whether it is still the same."""

    def __init__(self, path: str, budget: Budget, meter: Meter) -> None:
        super().__init__(path, budget)
        self._meter = meter
        self.content = local_identity(os.fstat(self.fileno()))

    def pread(self, offset: int, size: int) -> bytes:
        """Bytes of the file, see :meth:`FileSource.pread`."""
        data = super().pread(offset, size)
        self._meter.count(len(data))
        return data

    def walker(self) -> Callable[[int, int], bytes]:
        """Likewise, see :meth:`FileSource.walker`."""
        read, count = super().walker(), self._meter.count

        def metered(size: int, offset: int) -> bytes:
            data = read(size, offset)
            count(len(data))
            return data

        return metered

    def changed(self) -> bool:
        """Whether another content lies there now; the file may be closed."""
        try:
            return local_identity(Path(self.path).stat()) != self.content
        except OSError:
            return True


def local_identity(facts: os.stat_result) -> str:
    """What tells one content of a file from a later one."""
    return f"{facts.st_size} mtime {facts.st_mtime_ns}"
