# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in the guest, asked in a session that knows next to nothing of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .crash_driver import OPENED, PLUGIN, ROOT, Guest, guest, run_crash

pytestmark = [pytest.mark.crash, pytest.mark.lab]

MINIMAL = ("-s", "--minimal", "--kaslr=0", "--machdep", "phys_base=0")
DUMPS = (OPENED, "ovmf-kaslr.elf", "newer-kernel.elf")


def outside(case: Guest, command: str) -> str:
    """What the same command says in a shell."""
    argv = [sys.executable, "-m", "crashext", command, str(case.dump), "--vmlinux",
            str(case.vmlinux)]  # fmt: skip
    return subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", DUMPS)
def test_dmesg_is_that_of_the_shell(name: str, tmp_path: Path) -> None:
    case = guest(name)
    commands = [f"extend {PLUGIN}", "qemufix dmesg > log", "qemufix dmesg | tail -1 > last",
                "qemufix dmesg --json > log.json"]  # fmt: skip
    out = run_crash(case.argv(*MINIMAL), commands, cwd=tmp_path).out
    log = (tmp_path / "log").read_text()
    assert "Linux version " + case.truth["release"] in log, out
    assert log == outside(case, "dmesg")
    assert (tmp_path / "last").read_text() == log.splitlines(keepends=True)[-1]
    assert len(json.loads((tmp_path / "log.json").read_text())["records"]) > 100


@pytest.mark.parametrize("name", DUMPS)
def test_report_is_that_of_the_shell(name: str, tmp_path: Path) -> None:
    case = guest(name)
    commands = [f"extend {PLUGIN}", "qemufix report > report", "qemufix report --json > facts"]
    out = run_crash(case.argv(*MINIMAL), commands, cwd=tmp_path).out
    facts: dict[str, Any] = json.loads((tmp_path / "facts").read_text())
    assert facts["found"], out
    assert facts["release"] == case.truth["release"]
    assert facts["tasks"]["count"] > 10
    head, _, tail = (tmp_path / "report").read_text().partition("\n")
    assert case.truth["release"] in head
    ours, _, next_step = tail.partition("Next: ")
    assert ours == outside(case, "report").partition("\n")[2].partition("Next: ")[0]
    assert next_step == "qemufix physbase --apply\n"
