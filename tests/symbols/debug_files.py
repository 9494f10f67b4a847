# SPDX-License-Identifier: GPL-3.0-or-later
"""Small kernel files with debug information, in one file and in two, as packages have them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

#: What stands for debug information; nothing here reads it.
_INFO = b"debug information\n"


class Files(NamedTuple):
    """One kernel: all in one, without debug information, and that alone."""

    whole: Path
    kernel: Path
    debug: Path


def debug_files(vmlinux: Path, folder: Path) -> Files:
    """The three, made of a vmlinux with symbols."""
    if not shutil.which("objcopy"):
        pytest.skip("no objcopy (binutils)")
    files = Files(*(folder / name for name in ("whole", "kernel", "debug")))
    info = folder / "info"
    info.write_bytes(_INFO)
    for command in (
        ("--add-section", f".debug_info={info}", vmlinux, files.whole),
        ("--strip-debug", files.whole, files.kernel),
        ("--only-keep-debug", files.whole, files.debug),
    ):
        subprocess.run(["objcopy", *map(str, command)], check=True, timeout=60)
    return files
