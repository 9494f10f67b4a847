# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix crash`` with the real one: it comes up right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli import ROOT, qemufix

LAB = ROOT / "lab" / "dumps"


@pytest.mark.lab
@pytest.mark.crash
@pytest.mark.skipif(not shutil.which("crash"), reason="crash is not installed")
@pytest.mark.parametrize("name", ["ovmf-kaslr.kdump", "ovmf-nokaslr.elf"])
def test_a_session_started_right(name: str, tmp_path: Path) -> None:
    dump = LAB / name
    truth_file = dump.with_suffix(".json")
    if not (dump.exists() and truth_file.exists()):
        pytest.skip(f"no {name}: make sample-dumps")
    truth = json.loads(truth_file.read_text())
    script = tmp_path / "commands"
    script.write_text("sys\nrd -a linux_banner\nexit\n")
    done = qemufix("crash", LAB / truth["vmlinux"], dump, "-s", "--no_crashrc", "-i", script)
    assert done.returncode == 0
    assert f"RELEASE: {truth['release']}\n" in done.stdout
    assert "Linux version" in done.stdout
