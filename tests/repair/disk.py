# SPDX-License-Identifier: GPL-3.0-or-later
"""A filesystem of a fixed size to write to, where this machine lets one be mounted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

SIZE = 16 << 20


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """ext4 in a file, mounted; else a tmpfs; skips the test where neither can be had."""
    image, place = folder / "disk.img", folder / "disk"
    place.mkdir()
    image.touch()
    os.truncate(image, SIZE)
    ways: Sequence[Sequence[Sequence[str | Path]]] = (
        (["mkfs.ext4", "-q", "-F", image], ["mount", "-o", "loop", image, place]),
        (["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", place],),
    )
    if not any(all(_works(command) for command in way) for way in ways):
        pytest.skip("neither an ext4 in a file nor a tmpfs can be mounted here (not root)")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def _works(command: Sequence[str | Path]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def fill(disk: Path, left: int) -> None:
    """Leave so many bytes on a disk (a few KB more or less), none if 0."""
    facts = os.statvfs(disk)
    free = facts.f_bavail * facts.f_frsize - left
    with (disk / "filler").open("wb", buffering=0) as file:
        with suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(free, 1))
        file.seek(0, os.SEEK_END)
        with suppress(OSError):
            while left == 0 and file.write(bytes(4096)):
                pass
