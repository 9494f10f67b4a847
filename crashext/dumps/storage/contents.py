# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cache holds, and cleaning it: by hand, or when it has become too large."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from .about import About, noted
from .folder import ABOUT, NEW, PART, WHOLE, Folder

_MOMENT = 0.1  # seconds


class File(NamedTuple):
    """A file of the cache.

    Attributes:
        name: its name, without the end that says how far it got.
        end: ``.whole``, ``.part`` of a stream that was damaged, or ``.new``.
        size: bytes that it takes on disk.
        last_used: seconds since 1970.
        in_use: whether a process has it open.
        about: what it was made from.
    """

    name: str
    end: str
    size: int
    last_used: float
    in_use: bool
    about: About


def contents(folder: Folder) -> list[File]:
    """The files, what was used longest ago first."""
    found = (_file(folder, name, end) for name, end in folder.names() if end != ABOUT)
    return sorted((file for file in found if file), key=lambda file: file.last_used)


def clean(folder: Folder, files: Iterable[File]) -> tuple[list[File], list[File]]:
    """Remove files, but those that are in use: what was removed, and what wasn't."""
    wanted = list(files)
    removed = [file for file in wanted if _remove(folder, file)]
    if len(removed) < len(wanted):
        time.sleep(_MOMENT)  # another process may have looked, as this one does, or cleans too
        removed += [file for file in wanted if file not in removed and _remove(folder, file)]
    there = {name + end for name, end in folder.names()}
    left = [file for file in wanted if file not in removed and file.name + file.end in there]
    return removed, left


def sweep(folder: Folder) -> None:
    """Remove what killed processes left: files half made, words about files that are gone."""
    there = list(folder.names())
    kept = {name for name, end in there if end in (WHOLE, PART)}
    for name, end in there:
        half = end == NEW and folder.remove(name + NEW)
        words = end == ABOUT and (name, NEW) not in there
        if (half or words) and name not in kept:
            folder.remove(name + ABOUT)


def make_room(folder: Folder, limit: int) -> None:
    """Remove leftovers, and what was used longest ago as long as all is more than ``limit``."""
    sweep(folder)
    files = contents(folder)
    total = sum(file.size for file in files)
    for file in files:
        if total <= limit:
            break
        if _remove(folder, file):
            total -= file.size


def _remove(folder: Folder, file: File) -> bool:
    if not folder.remove(file.name + file.end):
        return False
    if all(end == ABOUT for name, end in folder.names() if name == file.name):
        folder.remove(file.name + ABOUT)
    return True


def _file(folder: Folder, name: str, end: str) -> File | None:
    """The facts of a file; None where it is gone, or isn't ours."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name + end, flags, dir_fd=folder.fd)
    except OSError:
        return None
    try:
        if not folder.is_ours(fd):
            return None
        facts = os.fstat(fd)
    finally:
        os.close(fd)
    alone = folder.unused(name + end)
    if alone is not None:
        os.close(alone)
    return File(
        name, end, facts.st_blocks * 512, facts.st_mtime, alone is None, noted(folder, name)
    )
