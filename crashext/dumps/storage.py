# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of unpacked and made files: ``$XDG_CACHE_HOME/qemufix`` (``~/.cache/qemufix``).

A file there is named by what identifies the file it was made from, and may be deleted at any
time. The folder and the files must be ours and nobody else's. A file grows as ``.new``
under a lock, which the system lets go when the process ends, however it ends: a ``.new``
file that nobody has locked is a leftover. It gets its name when all of it is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from ..budget import CACHE
from ..errors import UnreadableDump

_WHOLE, _PART, _NEW = ".whole", ".part", ".new"
_POLL = 0.1  # seconds between two looks whether another process is done
# What is left free on the disk: a twentieth of it, and so many bytes at least.
_SPARED, _SPARED_PART = 256 << 20, 20


class Entry(NamedTuple):
    """A file of the cache, open for reading; ``whole`` unless its stream was damaged."""

    path: str
    fd: int
    whole: bool


class Storage:
    """The folder, open; made if it isn't there."""

    def __init__(self, path: str) -> None:
        """Open it for the dump at ``path``.

        Raises:
            UnreadableDump: others than its owner can write into it, or it isn't ours.
            OSError: it can't be made.
        """
        self._path = path
        self._folder = self.place()
        # The memory of a guest is nobody else's business.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._folder, flags)

    @staticmethod
    def place() -> Path:
        """Where the folder is."""
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qemufix"

    def free(self) -> int:
        """Bytes that may be written there."""
        facts = os.fstatvfs(self._fd)
        spared = max(facts.f_blocks * facts.f_frsize // _SPARED_PART, _SPARED)
        return max(facts.f_bavail * facts.f_frsize - spared, 0)

    def find_or_make(
        self,
        identity: tuple[object, ...],
        fill: Callable[[BinaryIO], bool],
        progress: Callable[[str, float], None] | None,
        label: str = "",
    ) -> Entry:
        """The file of that identity; ``fill`` writes it if need be, and says if it is whole.

        Its name starts with ``label``. Of several processes that want it one writes it, and the
        others wait.
        """
        self._check_folder()
        name = label + hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
        while (found := self._find(name)) is None:
            new = self._locked(name + _NEW)
            if new is None:
                if progress:
                    progress("Waiting for another process that makes it", 0.0)
                time.sleep(_POLL)
                continue
            with os.fdopen(new, "r+b") as output:
                return self._find(name) or self._made(name, output, fill)
        return found

    def _made(self, name: str, output: BinaryIO, fill: Callable[[BinaryIO], bool]) -> Entry:
        try:
            output.truncate(0)
            whole = fill(output)
            output.flush()
            final = name + (_WHOLE if whole else _PART)
            os.rename(name + _NEW, final, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except BaseException:
            self._remove(name + _NEW)
            raise
        self._make_room(name)
        return Entry(str(self._folder / final), os.dup(output.fileno()), whole)

    def _find(self, name: str) -> Entry | None:
        return self._open(name + _WHOLE, True) or self._open(name + _PART, False)

    def _check_folder(self) -> None:
        facts = os.fstat(self._fd)
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o77:
            raise UnreadableDump(
                f"the cache {self._folder} must be a folder of yours that is closed to others "
                "(chmod 700)",
                path=self._path,
            )

    def _open(self, name: str, whole: bool) -> Entry | None:
        """A file that is there and ours; what has its name and isn't ours is removed."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                         dir_fd=self._fd)  # fmt: skip
        except FileNotFoundError:
            return None
        except OSError:
            self._remove(name)
            return None
        if not self._is_ours(fd):
            os.close(fd)
            self._remove(name)
            return None
        os.utime(fd)  # the file that was used longest ago makes room for others
        return Entry(str(self._folder / name), fd, whole)

    def _is_ours(self, fd: int) -> bool:
        facts = os.fstat(fd)
        return (
            stat.S_ISREG(facts.st_mode)
            and facts.st_uid == os.geteuid()
            and not facts.st_mode & 0o77
            and facts.st_nlink == 1
        )

    def _locked(self, name: str) -> int | None:
        """A new file, locked; None where another process has it, or had just now."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, 0o600, dir_fd=self._fd)
        except OSError:
            self._remove(name)  # a link, a folder: not ours
            fd = os.open(name, flags, 0o600, dir_fd=self._fd)
        if not self._is_ours(fd):
            self._remove(name)
        else:
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Who had it may have renamed or removed it before letting go.
                there = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
                if there.st_ino == os.fstat(fd).st_ino:
                    return fd
        os.close(fd)
        return None

    def _make_room(self, name: str) -> None:
        """Remove leftovers, and what was used longest ago if all is too much."""
        ours = []
        with os.scandir(self._fd) as entries:
            for entry in entries:
                if entry.name.endswith(_NEW):
                    left = self._locked(entry.name)
                    if left is not None:
                        self._remove(entry.name)
                        os.close(left)
                elif entry.name.endswith((_WHOLE, _PART)) and not entry.name.startswith(name):
                    with suppress(OSError):
                        facts = entry.stat(follow_symlinks=False)
                        ours.append((facts.st_mtime_ns, facts.st_blocks * 512, entry.name))
        total = sum(size for _, size, _ in ours)
        for _, size, old in sorted(ours):
            if total <= CACHE:
                break
            self._remove(old)
            total -= size

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.close(self._fd)
