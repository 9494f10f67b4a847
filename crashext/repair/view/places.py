# SPDX-License-Identifier: GPL-3.0-or-later
"""The mount points of views: a folder each, in ``$XDG_RUNTIME_DIR`` or the temporary folder.

Who holds the folder's lock serves the view in it. The system lets the lock go when that
process ends, however it ends: an unlocked folder is a leftover and is removed by the next.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PREFIX = "qemufix-view-"
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8  # include/linux/fs.h


class Place(NamedTuple):
    """A folder of ours, open and locked; what is mounted is mounted on ``mount``."""

    folder: Path
    fd: int

    @property
    def mount(self) -> Path:
        """The mount point."""
        return self.folder / "dump"

    def clear(self) -> None:
        """Unmount and remove it; who has the file open may go on reading."""
        unmount(self.mount)
        for folder in (self.mount, self.folder):
            with suppress(OSError):
                folder.rmdir()


def new() -> Place:
    """A new place; leftovers are removed on the way.

    Raises:
        OSError: none can be made.
    """
    root = _root()
    for leftover in root.glob(_PREFIX + "*"):
        with suppress(OSError):
            _remove(leftover)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        place = _locked(folder)
        if place is not None:
            place.mount.mkdir(mode=0o700)
            return place


def unmount(mount: Path) -> None:
    """Take away what is mounted there, if anything is."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(mount), _MNT_DETACH | _UMOUNT_NOFOLLOW) == 0:
        return
    program = shutil.which("fusermount3") or shutil.which("fusermount")
    if program is not None and is_mounted(mount):
        # Not our users' matter: what can't be unmounted stays, and is tried again.
        subprocess.run([program, "-u", "-z", "-q", str(mount)], check=False, capture_output=True)


def is_mounted(mount: Path) -> bool:
    """Whether a file system begins there; one whose server has died answers nothing."""
    try:
        return mount.lstat().st_dev != mount.parent.lstat().st_dev
    except OSError:
        return mount.parent.exists()


def _root() -> Path:
    """Where nobody else can put something else in our folder's place."""
    own = os.environ.get("XDG_RUNTIME_DIR")
    with suppress(OSError):
        if own and Path(own).stat().st_uid == os.geteuid() and os.access(own, os.W_OK | os.X_OK):
            return Path(own)
    return Path(tempfile.gettempdir())


def _remove(folder: Path) -> None:
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        return
    place = _locked(folder)
    if place is not None:
        place.clear()
        os.close(place.fd)


def _locked(folder: Path) -> Place | None:
    """The place, ours alone from now on; None where another process has it, or removed it."""
    try:
        fd = os.open(folder, _FLAGS)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.lstat().st_ino == os.fstat(fd).st_ino:
            return Place(folder, fd)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None
