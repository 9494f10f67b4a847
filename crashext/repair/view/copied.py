# SPDX-License-Identifier: GPL-3.0-or-later
"""A repaired dump as a file of the cache, where no view can be made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from ...dumps.source import FileSource, Source
from ...dumps.storage import About, Storage, place
from ...errors import UnreadableDump
from ...text import size_text
from ..overlay import Overlay
from ..write.copying import copy_file, image_of
from ..write.elf_file import write_elf
from ..write.sink import FileSink
from .elf_image import ElfImage

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
            about = About("repaired copy", source.path)
            entry = storage.find_or_make(identity, fill, progress, about)
    except OSError as problem:
        raise UnreadableDump(
            f"can't copy it into {place()}: {problem.strerror} "
            "(XDG_CACHE_HOME names another place)",
            path=source.path,
        ) from None
    return entry.used_by_path()


def _fill(output: BinaryIO, source: Source, storage: Storage, progress: Progress | None) -> bool:
    """Write all of it, sharing what the file system can share."""
    room = storage.free()
    if source.stored > room:
        raise UnreadableDump(
            f"a copy of it needs {size_text(source.stored)}, and {size_text(room)} may be taken in "
            f"{place()} (XDG_CACHE_HOME names another place)",
            path=source.path,
        )
    told = partial(progress, "Copying") if progress else None
    if isinstance(source, ElfImage):
        write_elf(source.dump, source.headers, FileSink(output.fileno()), progress=told)
    elif isinstance(source, Overlay) and isinstance(source.inner, FileSource):
        copy_file(source.inner.fileno(), output.fileno(), told)
        for patch in source.patches:
            output.seek(patch.offset)
            output.write(patch.data)
    else:
        image_of(source, FileSink(output.fileno()), told)
    return True
