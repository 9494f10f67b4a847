# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache's folder: which files in it are ours, which are in use, and removing the others.

Who uses a file holds a shared lock on it (flock(2)), which the system lets go when the last
process that has it open ends, however it ends. Only who gets the lock for itself alone removes
the file.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import UnreadableDump

WHOLE, PART, NEW, ABOUT = ".whole", ".part", ".new", ".about"
#: Nothing that is called otherwise is touched.
NAME = re.compile(r"((?:[A-Za-z0-9.+_-]{1,80}-)?[0-9a-f]{32})(\.whole|\.part|\.new|\.about)")
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def place() -> Path:
    """Where the folder is."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qemufix"


class Folder:
    """The folder, open."""

    def __init__(self, path: str) -> None:
        """Open it, or raise OSError; ``path`` is whom an :class:`UnreadableDump` is about."""
        self.place = place()
        self._path = path
        self.fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def check(self) -> None:
        """See that it is ours.

        Raises:
            UnreadableDump: others than its owner can write into it, or it isn't ours.
        """
        facts = os.fstat(self.fd)
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o77:
            raise UnreadableDump(
                f"the cache {self.place} must be a folder of yours that is closed to others "
                "(chmod 700)",
                path=self._path,
            )

    def names(self) -> Iterator[tuple[str, str]]:
        """The names that a file of ours may have, each as the name of its contents and an end."""
        with os.scandir(self.fd) as entries:
            there = sorted(entry.name for entry in entries)
        for name in there:
            match = NAME.fullmatch(name)
            if match:
                yield match[1], match[2]

    def used(self, name: str) -> int | None:
        """A file opened to be used; None where there is none.

        What has its name and isn't ours is removed.
        """
        while True:
            try:
                fd = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=self.fd)
            except FileNotFoundError:
                return None
            except OSError:
                self.unlink(name)
                return None
            with suppress(OSError):  # of a file system without locks
                fcntl.flock(fd, fcntl.LOCK_SH)
            if self.is_ours(fd):
                return fd
            removed = os.fstat(fd).st_nlink == 0
            os.close(fd)
            if not removed:
                self.unlink(name)
                return None

    def started(self, name: str) -> int | None:
        """A new file, ours alone; None where another process has it, or had just now."""
        flags = os.O_RDWR | os.O_CREAT | _FLAGS
        try:
            fd = os.open(name, flags, 0o600, dir_fd=self.fd)
        except OSError:
            self.unlink(name)  # a link, a folder: not ours
            fd = os.open(name, flags, 0o600, dir_fd=self.fd)
        if not self.is_ours(fd):
            self.unlink(name)
        elif self._alone(fd, name):
            return fd
        os.close(fd)
        return None

    def unused(self, name: str) -> int | None:
        """A file of ours that nobody uses, and can use before it is closed; None if it isn't so."""
        try:
            fd = os.open(name, os.O_RDWR | _FLAGS, dir_fd=self.fd)
        except OSError:
            return None
        if self.is_ours(fd) and self._alone(fd, name):
            return fd
        os.close(fd)
        return None

    def remove(self, name: str) -> bool:
        """Remove a file of ours that nobody uses; whether it is removed."""
        fd = self.unused(name)
        if fd is None:
            return False
        try:
            os.unlink(name, dir_fd=self.fd)
        finally:
            os.close(fd)
        return True

    def unlink(self, name: str) -> None:
        """Remove what has that name, a link itself, whosoever it is."""
        with suppress(OSError):
            os.unlink(name, dir_fd=self.fd)

    def is_ours(self, fd: int) -> bool:
        """Whether it is a plain file of ours alone that has one name."""
        facts = os.fstat(fd)
        return (
            stat.S_ISREG(facts.st_mode)
            and facts.st_uid == os.geteuid()
            and not facts.st_mode & 0o77
            and facts.st_nlink == 1
        )

    def _alone(self, fd: int, name: str) -> bool:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it may have renamed or removed it before letting go.
            there = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            return there.st_ino == os.fstat(fd).st_ino
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.close(self.fd)
