# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file of the cache was made from: a few words of JSON beside it, for people alone.

Nothing is decided by them: a file is known by its name.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import NamedTuple

from .folder import ABOUT, Folder

_MOST = 1 << 16  # bytes


class About(NamedTuple):
    """``what`` it is; ``path`` of the dump it was made from; ``kernel``: the release, if known."""

    what: str
    path: str
    kernel: str | None = None


def note(folder: Folder, name: str, about: About) -> None:
    """Write it; who makes the file ``name`` does, so nobody else writes this one."""
    folder.unlink(name + ABOUT)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    words = about._replace(path=os.path.realpath(about.path))._asdict()
    with suppress(OSError):
        fd = os.open(name + ABOUT, flags, 0o600, dir_fd=folder.fd)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            json.dump(words, file)


def noted(folder: Folder, name: str) -> About:
    """What was written; of an unknown origin where nothing is, or nothing that makes sense."""
    unknown = About("unknown", "")
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name + ABOUT, flags, dir_fd=folder.fd)
    except OSError:
        return unknown
    with os.fdopen(fd, "rb") as file:
        if not folder.is_ours(fd):
            return unknown
        try:
            about = About(**json.loads(file.read(_MOST)))
        except (OSError, ValueError, TypeError, RecursionError):
            return unknown
    words = about.what, about.path, about.kernel or ""
    return about if all(isinstance(word, str) for word in words) else unknown
