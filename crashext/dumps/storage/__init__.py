# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of unpacked and made files: ``$XDG_CACHE_HOME/qemufix`` (``~/.cache/qemufix``).

A file there is named by what identifies the file it was made from, and may be deleted at any
time. The folder and the files must be ours and nobody else's. A file grows as ``.new``
under a lock, which the system lets go when the process ends, however it ends: a ``.new``
file that nobody has locked is a leftover. It gets its name when all of it is there. While it
is used it is locked, too, and what is locked is not removed to make room (:mod:`.folder`).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from ...budget import cache_limit
from ...errors import UnreadableDump
from .about import About, note
from .contents import make_room
from .folder import NEW, PART, WHOLE, Folder, place

__all__ = ["About", "Entry", "Storage", "place"]

_POLL = 0.1  # seconds between two looks whether another process is done
# What is left free on the disk: a twentieth of it, and so many bytes at least.
_SPARED, _SPARED_PART = 256 << 20, 20


class Entry(NamedTuple):
    """A file of the cache, open for reading, in use for as long as ``fd`` is open.

    ``whole`` unless its stream was damaged; ``is_new`` where it was made just now.
    """

    path: str
    fd: int
    whole: bool
    is_new: bool = False

    def used_by_path(self) -> str:
        """Its path; in use until this process ends, or what it executes in its place.

        That is crash or another that opens the file by its name.
        """
        os.set_inheritable(self.fd, True)
        return self.path


class Storage:
    """The folder, open; made if it isn't there."""

    def __init__(self, path: str) -> None:
        """Open it for the dump at ``path``.

        Raises:
            UnreadableDump: what limits its size is no size.
            OSError: it can't be made.
        """
        try:
            self._limit = cache_limit()
        except ValueError as error:
            raise UnreadableDump(str(error), path=path) from None
        # The memory of a guest is nobody else's business.
        place().mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = Folder(path)

    def free(self) -> int:
        """Bytes that may be written there."""
        facts = os.fstatvfs(self._folder.fd)
        spared = max(facts.f_blocks * facts.f_frsize // _SPARED_PART, _SPARED)
        return max(facts.f_bavail * facts.f_frsize - spared, 0)

    def find_or_make(
        self,
        identity: tuple[object, ...],
        fill: Callable[[BinaryIO], bool],
        progress: Callable[[str, float], None] | None,
        about: About,
        label: str = "",
    ) -> Entry:
        """The file of that identity; ``fill`` writes it if need be, and says if it is whole.

        Its name starts with ``label``. Of several processes that want it one writes it, and the
        others wait.

        Raises:
            UnreadableDump: others than its owner can write into the folder, or it isn't ours.
        """
        self._folder.check()
        name = label + hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
        while (found := self._find(name)) is None:
            new = self._folder.started(name + NEW)
            if new is None:
                if progress:
                    progress("Waiting for another process that makes it", 0.0)
                time.sleep(_POLL)
                continue
            with os.fdopen(new, "r+b") as output:
                found = self._find(name)
                if found is None:
                    return self._made(name, output, fill, about)
                self._folder.unlink(name + NEW)  # another was done just before we began
                return found
        return found

    def _made(
        self, name: str, output: BinaryIO, fill: Callable[[BinaryIO], bool], about: About
    ) -> Entry:
        folder = self._folder
        try:
            output.truncate(0)
            whole = fill(output)
            output.flush()
            note(folder, name, about)
            final = name + (WHOLE if whole else PART)
            os.rename(name + NEW, final, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
        except BaseException:
            folder.unlink(name + NEW)
            raise
        fd = os.dup(output.fileno())  # has the same lock
        make_room(folder, self._limit)
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_SH)  # others may use it from now on
        return Entry(str(folder.place / final), fd, whole, is_new=True)

    def _find(self, name: str) -> Entry | None:
        for end in (WHOLE, PART):
            fd = self._folder.used(name + end)
            if fd is not None:
                os.utime(fd)  # the file that was used longest ago makes room for others
                return Entry(str(self._folder.place / (name + end)), fd, end == WHOLE)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.close(self._folder.fd)
