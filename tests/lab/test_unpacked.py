# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of another release, started by the loader that lies beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.unpacked import write_script


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root whose loader says what it was given."""
    root = tmp_path / "a root"
    loader = root / "usr/lib64/ld-linux-x86-64.so.2"
    for folder in (loader.parent, root / "usr/lib/x86_64-linux-gnu"):
        folder.mkdir(parents=True)
    loader.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    loader.chmod(0o755)
    return root


def said(script: Path, *arguments: str) -> list[str]:
    command = [str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_program_gets_its_libraries_and_its_arguments(root: Path) -> None:
    script = write_script(root / "scripts/crash", root, "crash", more="-L 'its data' ")
    start = ["--library-path", f"{root}/usr/lib/x86_64-linux-gnu", f"{root}/usr/bin/crash"]
    assert said(script, "--minimal", "a dump", "") == [
        *start, "-L", "its data", "--minimal", "a dump", "",
    ]  # fmt: skip


def test_a_program_that_starts_itself_again_gets_the_loaders_part_once(root: Path) -> None:
    script = write_script(root / "scripts/crash", root, "crash")
    first = said(script, "-s", "a dump")
    assert said(script, "--kaslr=0", *first) == [*first[:3], "--kaslr=0", "-s", "a dump"]


def test_a_folder_without_a_loader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no loader"):
        write_script(tmp_path / "crash", tmp_path, "crash")
