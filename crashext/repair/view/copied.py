# SPDX-License-Identifier: GPL-3.0-or-later
"""A repaired dump as a file of the cache, where no view can be made."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from ...dumps.source import Source
from ...dumps.storage import Storage
from ...errors import UnreadableDump
from ...text import size_text

_CHUNK = 1 << 20
_HOLE = bytes(1 << 16)

Progress = Callable[[str, float], None]


def copied(source: Source, progress: Progress | None) -> str:
    """The path of a copy of ``source`` in the cache, written now or earlier.

    Raises:
        UnreadableDump: there is no room for it.
    """
    try:
        with Storage(source.path) as storage:
            identity = (*source.identity(), "shown")
            fill = partial(_fill, source=source, storage=storage, progress=progress)
            entry = storage.find_or_make(identity, fill, progress)
    except OSError as problem:
        raise UnreadableDump(
            f"can't copy it into {Storage.place()}: {problem.strerror} "
            "(XDG_CACHE_HOME names another place)",
            path=source.path,
        ) from None
    os.close(entry.fd)
    return entry.path


def _fill(output: BinaryIO, source: Source, storage: Storage, progress: Progress | None) -> bool:
    """Write all of it, zeros as holes."""
    if source.stored > storage.free():
        raise UnreadableDump(
            f"a copy of it needs {size_text(source.stored)}, and {size_text(storage.free())} may "
            f"be taken in {Storage.place()} (XDG_CACHE_HOME names another place)",
            path=source.path,
        )
    for start, end in source.data(0, source.size):
        for at in range(start, end, _CHUNK):
            if progress is not None:
                progress("Copying", at / source.size)
            _write(output, at, source.pread(at, min(_CHUNK, end - at)))
    output.truncate(source.size)
    return True


def _write(output: BinaryIO, at: int, data: bytes) -> None:
    for start in range(0, len(data), len(_HOLE)):
        piece = data[start : start + len(_HOLE)]
        if not _HOLE.startswith(piece):
            output.seek(at + start)
            output.write(piece)
