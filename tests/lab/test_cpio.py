# SPDX-License-Identifier: GPL-3.0-or-later
"""The initramfs writer, checked by cpio itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab.cpio import Cpio


def _archive() -> bytes:
    archive = Cpio()
    archive.file("a/b/script", b"#!/bin/sh\n", mode=0o755)
    archive.file("a/odd", b"12345", mode=0o644)
    archive.symlink("a/link", "odd")
    archive.character_device("dev/console", 5, 1)
    return bytes(archive)


def test_entries_are_aligned_and_parents_come_first() -> None:
    data = _archive()
    names = []
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        assert at % 4 == 0
        size, name_size = int(data[at + 54 : at + 62], 16), int(data[at + 94 : at + 102], 16)
        names.append(data[at + 110 : at + 110 + name_size - 1].decode())
        at = (at + 110 + name_size + 3 & ~3) + (size + 3 & ~3)
        if names[-1] == "TRAILER!!!":
            break
    assert at == len(data)
    assert names[:-1] == ["a", "a/b", "a/b/script", "a/odd", "a/link", "dev", "dev/console"]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_lists_and_unpacks_it(tmp_path: Path) -> None:
    command = ["cpio", "-i", "-d", "--quiet", "a*"]
    subprocess.run(command, input=_archive(), cwd=tmp_path, check=True)
    assert (tmp_path / "a/b/script").read_bytes() == b"#!/bin/sh\n"
    assert (tmp_path / "a/b/script").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "a/link").read_bytes() == b"12345"
