# SPDX-License-Identifier: GPL-3.0-or-later
"""A new file that grows beside its name, and gets it when it is whole and on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def beside(path: Path) -> Iterator[int]:
    """The descriptor of an empty file that becomes ``path`` when the block ends without an error.

    Else nothing is left of it, and a file of that name stays as it was.

    Raises:
        OSError: the system can't.
    """
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        try:
            yield fd
            os.fsync(fd)
        finally:
            os.close(fd)
        Path(name).rename(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def permit_as(fd: int, path: str) -> None:
    """Let those read it that may read the file at ``path``, which has the same guest's memory."""
    with suppress(OSError):
        os.fchmod(fd, Path(path).stat().st_mode & 0o666)
