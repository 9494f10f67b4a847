# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a dump to change it, where that is safe: nobody else writes it, it has one name."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import RepairError
from ..text import printable

NAMELESS = ""
"""A writer that the system has, and /proc doesn't show: of another user, or container."""

_ACCESS = os.O_WRONLY | os.O_RDWR


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The file open for reading and writing, locked against another repair.

    Raises:
        RepairError: it is no regular file, read-only, has several names or is being written.
        OSError: it can't be opened.
    """
    _check_mode(path)
    _check_lease(path)
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts = os.fstat(fd)
        if facts.st_nlink > 1:
            raise RepairError(f"{path} has {facts.st_nlink} names (hard links): not changed")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RepairError(f"{path} is being repaired by another process") from None
        yield fd
    finally:
        os.close(fd)


def _check_mode(path: Path) -> None:
    facts = os.lstat(path)
    if not stat.S_ISREG(facts.st_mode):
        raise RepairError(f"{path} is no regular file: not changed")
    # root may write it all the same: it was made read-only on purpose.
    if not facts.st_mode & 0o222:
        raise RepairError(f"{path} is read-only: not changed (chmod u+w, or write a copy with -o)")


def _check_lease(path: Path) -> None:
    writer = writer_of(path)
    if writer is not None:
        who = f" ({writer})" if writer else ""
        raise RepairError(f"{path} is open for writing elsewhere{who}: not changed")


def writer_of(path: Path) -> str | None:
    """The process that has the file open for writing, :data:`NAMELESS` for one that can't be
    told; None where there is none, or where nothing can be told.

    The system grants a read lease only on a file that nobody has open for writing (fcntl(2));
    where it grants none at all (a network file system, another user's file) it says nothing
    either way. Nor is anything said of a file that can't be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Who wants to write at this very moment would have the system send SIGIO, which kills.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return _writer(os.fstat(fd)) if error.errno == errno.EAGAIN else None
    finally:
        os.close(fd)
    return None


def _writer(facts: os.stat_result) -> str:
    """Which process that is, where it can be told; root sees everybody's."""
    for process in _processes():
        for entry in _entries(f"/proc/{process}/fd"):
            with suppress(OSError, ValueError):
                there = Path(entry).stat()
                same = (there.st_dev, there.st_ino) == (facts.st_dev, facts.st_ino)
                if same and _may_write(entry):
                    return f"process {process}, {printable(_name(process))}"
    return NAMELESS


def _processes() -> Iterator[int]:
    with suppress(OSError):
        yield from sorted(int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def _entries(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder)]  # noqa: PTH208
    except OSError:
        return []


def _may_write(entry: str) -> bool:
    """By ``/proc/PID/fdinfo/FD`` (Documentation/filesystems/proc.rst): flags, octal."""
    info = Path(entry.replace("/fd/", "/fdinfo/")).read_text("ascii", "replace")
    flags = next((x.split()[1] for x in info.splitlines() if x.startswith("flags:")), "0")
    return bool(int(flags, 8) & _ACCESS)


def _name(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text("utf-8", "replace").strip()
    return "?"
