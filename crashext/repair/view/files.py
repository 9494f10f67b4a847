# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as the only file of a folder, read-only, by FUSE (libfuse through mfusepy)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mfusepy

from ...dumps.source import Source
from ...errors import CrashExtError

_BLOCK = 512  # what st_blocks counts in


class OneFile(mfusepy.Operations):  # type: ignore[misc]
    """What the kernel asks of the file system, answered.

    ``ready`` is called when the folder is mounted.
    """

    use_ns = True

    def __init__(self, source: Source, name: str, ready: Callable[[], None]) -> None:
        self._source = source
        self._name = name
        self._ready = ready

    def init(self, path: str) -> None:
        """The kernel is connected."""
        self._ready()

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """The facts of the folder or the file, which are the user's alone."""
        owner = {"st_uid": os.geteuid(), "st_gid": os.getegid()}
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o500, "st_nlink": 2, **owner}
        self._check(path)
        size = self._source.size
        blocks = -(-size // _BLOCK)
        facts = {"st_mode": stat.S_IFREG | 0o400, "st_nlink": 1}
        return {**facts, "st_size": size, "st_blocks": blocks, **owner}

    def readdir(self, path: str, fh: int) -> list[str]:
        """The names in the folder."""
        return [".", "..", self._name]

    def open(self, path: str, flags: int) -> int:
        """Open for reading: nothing else is."""
        self._check(path)
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Bytes of the source; what it can't give is an error of input."""
        try:
            return self._source.pread(offset, size)
        except CrashExtError:
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from None

    def _check(self, path: str) -> None:
        if path != "/" + self._name:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


def serve(source: Source, name: str, mount: Path, ready: Callable[[], None]) -> None:
    """Mount ``mount`` with ``source`` as the file ``name``; returns when it is unmounted.

    libfuse says on stderr why it can't.

    Raises:
        RuntimeError: it can't be mounted.
    """
    # The file never changes, so what was read once may stay in the system's cache.
    mfusepy.FUSE(
        OneFile(source, name, ready),
        str(mount),
        foreground=True,
        ro=True,
        kernel_cache=True,
        default_permissions=True,
        fsname="qemufix",
    )
