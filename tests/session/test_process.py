# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that runs a command: the session outlives it, and it does not outlive the session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .crash_driver import OPENED, PLUGIN, ROOT, TIMEOUT, guest, run_crash
from .terminal import Terminal

pytestmark = [pytest.mark.crash, pytest.mark.lab]

WRONG = ("-s", "--minimal", "--kaslr=0", "--machdep", "phys_base=0")


@pytest.fixture
def crash(tmp_path: Path) -> Iterator[Terminal]:
    """A session with the plugin, at its prompt."""
    terminal = Terminal(guest(OPENED).argv(*WRONG), tmp_path)
    at = terminal.read_until("crash> ")
    terminal.type(f"extend {PLUGIN}\n")
    terminal.read_until("crash> ", terminal.read_until("shared object loaded", at))
    yield terminal
    terminal.kill()


def stopped_command(crash: Terminal) -> int:
    """Type a command and stop its process as soon as it is Python's; the process."""
    crash.type("qemufix detect\n")
    children = Path(f"/proc/{crash.pid}/task/{crash.pid}/children")
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        for child in map(int, children.read_text().split()):
            if "start.py" in Path(f"/proc/{child}/cmdline").read_text():
                os.kill(child, signal.SIGSTOP)
                return child
    raise AssertionError("there was no process")


def works(crash: Terminal, since: int) -> bool:
    """Whether the next command is answered."""
    crash.type("qemufix detect\n")
    crash.read_until("crash> ", crash.read_until("written by QEMU", since))
    return crash.close() == 0


def gone(pid: int) -> bool:
    """Whether a process ends within the time that tests have."""
    end = time.monotonic() + TIMEOUT
    stat = Path(f"/proc/{pid}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_interrupt_ends_what_hangs(crash: Terminal) -> None:
    at = len(crash.text)
    child = stopped_command(crash)
    crash.type("\x03")
    at = crash.read_until("crash> ", at)
    assert gone(child)
    assert "ended by signal" not in crash.text
    assert works(crash, at)


def test_the_session_outlives_its_command(crash: Terminal) -> None:
    at = len(crash.text)
    os.kill(stopped_command(crash), signal.SIGKILL)
    at = crash.read_until("ended by signal 9 (Killed); the session is as it was", at)
    assert works(crash, crash.read_until("crash> ", at))


def test_a_command_ends_with_its_session(crash: Terminal) -> None:
    child = stopped_command(crash)
    crash.kill()
    assert gone(child)


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One line, and the session goes on."""
    python = tmp_path / "python3.99"
    subprocess.run(
        ["make", "-s", "-f", "bridge/build.mk", f"{tmp_path}/_host.so", f"HOST={tmp_path}/_host.so",
         f"PYTHON_PROGRAM={python}"],
        cwd=ROOT, check=True,
    )  # fmt: skip
    shutil.copy(PLUGIN, tmp_path / "qemufix.so")
    commands = [f"extend {tmp_path}/qemufix.so", "qemufix detect", "sym linux_banner"]
    out = run_crash(guest(OPENED).argv(*WRONG), commands, cwd=tmp_path).out
    (line,) = [line for line in out.splitlines() if line.startswith("qemufix: ")]
    assert f"can't start {python}" in line
    assert "No such file" in line
    assert "make" in line
    assert "(D) linux_banner" in out
