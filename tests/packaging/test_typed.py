# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own program is checked against our types, once the wheel is installed."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

RIGHT = """\
import crashext
with crashext.open_dump("vmcore") as dump:
    reveal_type(dump.read(0x1000, 8))
"""
WRONG = RIGHT.replace("0x1000", '"0x1000"')


@pytest.fixture(scope="module")
def python(pure_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which nothing but the wheel is installed."""
    folder = tmp_path_factory.mktemp("typed")
    venv.create(folder)
    (packages,) = folder.glob("lib/python3*/site-packages")
    with ZipFile(pure_wheel) as wheel:
        wheel.extractall(packages)
    return folder / "bin" / "python"


def checked(program: str, python: Path, folder: Path) -> str:
    (folder / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache"]
    command += ["--python-executable", str(python), "program.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_right_program_passes_and_what_it_reads_has_a_type(python: Path, tmp_path: Path) -> None:
    said = checked(RIGHT, python, tmp_path)
    assert 'Revealed type is "bytes"' in said or 'Revealed type is "builtins.bytes"' in said
    assert "Success: no issues found" in said


def test_a_wrong_one_is_told(python: Path, tmp_path: Path) -> None:
    said = checked(WRONG, python, tmp_path)
    assert 'Argument 1 to "read" of "Dump" has incompatible type "str"; expected "int"' in said
