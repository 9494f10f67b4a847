# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix crash`` with the real one: it comes up right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import ROOT, SAMPLE, VMLINUX, qemufix

#: What a terminal would obey, and what a shell would.
NAMES = [
    "plain.elf",
    "two words.elf",
    "\x1b]0;owned\x07.elf",
    "it's \x1b[31m\\ $HOME.elf",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_shows_names_as_a_shell_takes_them(name: str, tmp_path: Path) -> None:
    dump = tmp_path / name
    dump.write_bytes(SAMPLE.read_bytes())
    done = qemufix("crash", "--dry-run", VMLINUX, dump)
    assert done.returncode == 0 and done.stdout.rstrip("\n").isprintable()
    shown = done.stdout.removeprefix("crash ")
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {shown}"], capture_output=True, text=True, check=True
    ).stdout.split("\0")
    assert words[-3:] == [str(VMLINUX), str(dump), ""]


START = [sys.executable, "-m", "crashext"]
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


@pytest.mark.lab
@pytest.mark.crash
@pytest.mark.skipif(not shutil.which("crash"), reason="crash is not installed")
@pytest.mark.parametrize("commands", ["rd -a linux_banner", "rd -a linux_banner\n", ""])
@pytest.mark.parametrize(
    ("name", "starts"), [("ovmf-kaslr.kdump", 1), ("early-setup.kdump", 2)], ids=["up", "not up"]
)
def test_commands_on_a_pipe_are_run_once(name: str, starts: int, commands: str) -> None:
    """Their end is no failure of crash, and what did not come up has read none of them."""
    dump = LAB / name
    if not dump.with_suffix(".json").exists():
        pytest.skip(f"no {name}: make sample-dumps")
    vmlinux = LAB / json.loads(dump.with_suffix(".json").read_text())["vmlinux"]
    command = [*START, "crash", str(dump), "--vmlinux", str(vmlinux), "-s", "--no_crashrc"]
    done = subprocess.run(
        command, input=commands, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0
    assert done.stdout.count("Linux version") == bool(commands)
    assert done.stderr.count("once more") == starts - 1
