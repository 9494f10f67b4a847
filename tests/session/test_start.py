# SPDX-License-Identifier: GPL-3.0-or-later
"""What crash starts for a command, as it starts it, on every Python there is."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from .fake_session import FakeSession
from .pykdump import pythons

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_dumps" / "ovmf-kaslr.elf"
NEEDED = ("click", "elftools")
NEW = [version for version in pythons() if int(version.split(".")[1]) >= 11]
OLD = [version for version in pythons() if version not in NEW]


_ON_DESCRIPTOR_3 = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
)


def link(folder: Path, *packages: str) -> None:
    """Put packages that we have ourselves into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        source = importlib.import_module(package).__file__
        assert source is not None
        (folder / package).symlink_to(Path(source).parent)


def start(
    home: Path, python: str, session: FakeSession, *argv: str, site: bool = True
) -> subprocess.CompletedProcess[str]:
    """As bridge/interpreter.c does: the line is descriptor 3."""
    script = home / "crashext" / "session" / "start.py"
    options = ["-I"] if site else ["-I", "-S"]
    fd = session.line.fileno()
    return subprocess.run(
        [sys.executable, "-c", _ON_DESCRIPTOR_3, str(fd), pythons()[python], *options, script,
         "qemufix", *argv],
        capture_output=True, text=True, pass_fds=(fd,), stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def session() -> FakeSession:
    return FakeSession({"dumpfile": str(SAMPLE)})


@pytest.mark.parametrize("python", NEW)
@pytest.mark.parametrize("place", [".", ".venv/lib/python{}/site-packages"])
def test_every_python_answers(python: str, place: str, tmp_path: Path) -> None:
    """With what it needs installed beside the package, or in the .venv there."""
    link(tmp_path, "crashext")
    link(tmp_path / place.format(python), *NEEDED)
    with session() as crash:
        done = start(tmp_path, python, crash, "detect", "--json", site=False)
    assert (done.returncode, done.stderr, crash.messages) == (0, "", [])
    assert json.loads(done.stdout)["origin"] == "qemu"


@pytest.mark.parametrize("python", NEW[-1:])
def test_what_is_missing_is_named_with_its_python(python: str, tmp_path: Path) -> None:
    link(tmp_path, "crashext")
    with session() as crash:
        done = start(tmp_path, python, crash, "detect", site=False)
    assert (done.returncode, done.stdout, done.stderr) == (70, "", "")
    (message,) = crash.messages
    assert "click is not installed" in message
    assert f"{pythons()[python]} (Python {python})" in message
    assert "make setup" in message


@pytest.mark.parametrize("python", OLD)
def test_an_old_python_says_so(python: str, tmp_path: Path) -> None:
    link(tmp_path, "crashext")
    with session() as crash:
        done = start(tmp_path, python, crash, "detect")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"(Python {python})" in done.stderr
    assert "3.11" in done.stderr


def test_parts_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    link(tmp_path, "crashext", *NEEDED)
    with FakeSession({"protocol": "0"}) as crash:
        done = start(tmp_path, NEW[0], crash, "detect")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "make again" in done.stderr
