# SPDX-License-Identifier: GPL-3.0-or-later
"""A crash that the stages were not held against starts again; one of other tables is refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .crash_driver import HEADER, OPENED, ROOT, guest, run_crash

pytestmark = [pytest.mark.crash, pytest.mark.lab]

WRONG = ("-s", "--minimal", "--kaslr=0", "--machdep", "phys_base=0")


def built(folder: Path, *settings: str) -> Path:
    """A plugin in a folder of its own, built with these settings of make."""
    if not HEADER.exists():
        pytest.skip("crash's defs.h is not installed")
    subprocess.run(
        ["make", "-s", "plugin", f"PLUGIN_FOLDER={folder}", *settings], cwd=ROOT, check=True
    )
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder / "qemufix.so"


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("8.0.2", 80002),
        ("9.0.2", 90002),
        ("8.0.5-2.el9", 80005),
        ("8.0.3++", 0),
        ("10.1.0", 100100),
        ("9.0", 0),
    ],
)
def test_the_release_is_read_from_the_version(version: str, release: int) -> None:
    said = subprocess.run(
        ["make", "-n", "-B", "-f", "bridge/build.mk", "plugin", f"CRASH_VERSION={version}"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert set(re.findall(r"-DCRASH_RELEASE=(\d+)", said)) == {str(release)}


@pytest.mark.parametrize(
    ("release", "deed"),
    [
        (None, "re-initialise this session"),
        ("0", "start crash again"),
        ("80007", "start crash again"),
        ("90003", "start crash again"),
        ("100000", "start crash again"),
    ],
)
def test_an_unknown_release_starts_again(release: str | None, deed: str, tmp_path: Path) -> None:
    plugin = built(tmp_path / "built", *([f"CRASH_RELEASE={release}"] if release else []))
    commands = [f"extend {plugin}", "qemufix physbase --apply --dry-run"]
    out = run_crash(guest(OPENED).argv(*WRONG), commands, cwd=tmp_path).out
    assert f"Would {deed} with phys_base" in out


def test_other_tables_are_refused(tmp_path: Path) -> None:
    """As where a distributor's crash has a member more than its header, or the header is older."""
    include = tmp_path / "include"
    include.mkdir()
    text = HEADER.read_text()
    altered = text.replace("struct vm_table {", "struct vm_table { ulong another;", 1)
    assert altered != text
    (include / "defs.h").write_text(altered)
    plugin = built(tmp_path / "built", f"CRASH_INCLUDE={include}")
    commands = [f"extend {plugin}", "qemufix physbase"]
    out = run_crash(guest(OPENED).argv(*WRONG), commands, cwd=tmp_path).out
    assert "built with another defs.h than this crash" in out
    assert "(its vm_table has another size)" in out
    assert "phys_base      " not in out
