# SPDX-License-Identifier: GPL-3.0-or-later
"""Made vmlinux files, kept: one for each dump, kernel in it, and kind of crash.

They are known by the dump's files alone, never by what a guest says of itself: a build ID that a
guest made up would else put its symbols before another dump's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO

from .. import __version__
from ..dumps.storage import About, Storage, place
from ..errors import RebuildError, UnreadableDump
from ..locate import Found
from ..repair.write.sink import FileSink
from .course import Options, prepare, write

#: What of a release goes into a file's name.
_STRANGE = re.compile(r"[^A-Za-z0-9.+_-]")
_MOST_RELEASE = 64


def vmlinux_for(
    found: Found, *, progress: Callable[[str, float], None] | None = None, old_crash: bool
) -> str:
    """The path of the vmlinux made from the dump of ``found``, kept in the cache.

    Raises:
        RebuildError: none can be made, or not be kept.
    """
    context, location = found.context, found.location
    if context is None or found.image is None:
        raise RebuildError(location.reason or "no kernel was found")
    files = context.dump.identity()
    options = Options(old_crash=old_crash)

    def fill(output: BinaryIO) -> bool:
        made = prepare(found, options, progress)
        write(made, FileSink(output.fileno()), options, progress)
        return True

    if files is None:
        raise RebuildError("the dump's files can't be told from others")
    identity = ("vmlinux", __version__, found.image.id, location.kaslr_offset, options, *files)
    try:
        with Storage(location.path) as storage:
            about = About("made vmlinux", location.path, _named(location.release) or None)
            label = f"vmlinux-{_named(location.release)}-"
            entry = storage.find_or_make(identity, fill, progress, about, label)
    except OSError as problem:
        raise RebuildError(
            f"can't keep it in {place()}: {problem.strerror} (XDG_CACHE_HOME names another place)"
        ) from None
    except UnreadableDump as problem:
        raise RebuildError(problem.problem) from None
    return entry.used_by_path()


def _named(release: str | None) -> str:
    return _STRANGE.sub("_", release or "")[:_MOST_RELEASE]
