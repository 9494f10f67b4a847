# SPDX-License-Identifier: GPL-3.0-or-later
"""A right dump in a new file: a copy that is mended, or written anew in another format.

It grows beside its name and gets it when it is whole and on disk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import RepairError
from .plan import Plan

Progress = Callable[[str, float], None]
_CHUNK = 4 << 20


class Written(NamedTuple):
    """How many bytes went out, and what is worth knowing about it."""

    bytes_written: int
    warnings: tuple[str, ...] = ()


def write_new(
    plan: Plan, output: str, to: str | None, compress: str | None, progress: Progress | None
) -> Written:
    """Write ``output`` ("-" is stdout, flattened) as ``to`` and ``compress`` say.

    Raises:
        RepairError: it is the dump itself, or can't be written so.
        OSError: the system can't.
    """
    if output == "-" or to or compress or plan.unmendable:
        raise RepairError("not yet")
    path = Path(output)
    _check_output(plan, path)
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        try:
            _permit(fd, plan)
            written = _mended_copy(plan, fd, progress)
            os.fsync(fd)
        finally:
            os.close(fd)
        Path(name).rename(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return written


def _check_output(plan: Plan, path: Path) -> None:
    if path.is_dir():
        raise RepairError(f"{path} is a directory")
    if path.exists() and not path.is_file():
        raise RepairError(f"{path} is there already, and no regular file")
    if path.exists() and path.samefile(plan.dump.path):
        raise RepairError(f"{path} is the dump itself: use --in-place")


def _permit(fd: int, plan: Plan) -> None:
    """The memory of a guest is for those that may read the dump, no others."""
    with suppress(OSError):
        os.fchmod(fd, Path(plan.dump.path).stat().st_mode & 0o666)


def _mended_copy(plan: Plan, fd: int, progress: Progress | None) -> Written:
    source, written = plan.mended(), 0
    for start, end in source.data(0, source.size):
        for at in range(start, end, _CHUNK):
            data = source.pread(at, min(_CHUNK, end - at))
            os.pwrite(fd, data, at)
            written += len(data)
            if progress:
                progress("Writing", at / source.size)
    os.ftruncate(fd, source.size)
    return Written(written)
