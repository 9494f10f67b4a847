# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C during --apply: nothing is changed, and that is said where it is seen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .crash_driver import OPENED, PLUGIN, guest
from .terminal import Terminal

pytestmark = [pytest.mark.crash, pytest.mark.lab]

WRONG = ("-s", "--minimal", "--kaslr=0", "--machdep", "phys_base=0")
APPLY = "qemufix physbase --apply"
#: A pager that outlives Ctrl-C, as less does.
PAGER = "#!/bin/sh\ntrap '' INT\nexec cat\n"


@pytest.fixture(params=["plain", "pipe", "pager"])
def typed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Terminal, str]]:
    """A session at its prompt, and the command line."""
    argv, env = guest(OPENED).argv(*WRONG), {}
    if request.param == "pager":
        pager = tmp_path / "pager"
        pager.write_text(PAGER)
        pager.chmod(0o755)
        # -s turns scrolling off, too.
        argv = [*(arg for arg in argv if arg not in ("--no_scroll", "-s")), "--CRASHPAGER"]
        env = {"CRASHPAGER": str(pager)}
    crash = Terminal(argv, tmp_path, **env)
    at = crash.read_until("crash> ")
    crash.type(f"extend {PLUGIN}\n")
    crash.read_until("crash> ", crash.read_until("shared object loaded", at))
    yield crash, APPLY + (" | cat" if request.param == "pipe" else "")
    crash.kill()


def is_minimal(crash: Terminal, since: int) -> bool:
    crash.type("p init_task.comm\n")
    at = crash.read_until("crash> ", crash.read_until("init_task.comm", since))
    answer = crash.text[since:at]
    assert "swapper" in answer or "minimal mode" in answer, answer
    return "minimal mode" in answer


@pytest.mark.parametrize("seconds", [0.0, 0.7, 1.5, 2.5])
def test_a_stage_is_stopped(typed: tuple[Terminal, str], seconds: float) -> None:
    """Whatever gdb does at that moment, which ignores Ctrl-C for the most of it."""
    crash, line = typed
    start = len(crash.text)
    crash.type(line + "\n")
    crash.read_until("Re-initialising", start)
    time.sleep(seconds)
    crash.type("\x03")
    at = crash.read_until("the session is as it was", start)
    said = crash.text[start:at]
    assert re.search(r"stage \w+ interrupted" if seconds else r"interrupted", said), said
    at = crash.read_until("crash> ", at)
    assert is_minimal(crash, at)
    crash.type(APPLY + "\n")
    at = crash.read_until("crash> ", crash.read_until("Done: this is a full", at))
    assert not is_minimal(crash, at)


def test_the_search_is_stopped(typed: tuple[Terminal, str]) -> None:
    crash, line = typed
    start = len(crash.text)
    crash.type(line + "\n")
    time.sleep(0.1)
    crash.type("\x03")
    at = crash.read_until("crash> ", crash.read_until("interrupted; the session is as", start))
    assert is_minimal(crash, at)


def test_too_late_is_said(typed: tuple[Terminal, str], tmp_path: Path) -> None:
    """Once it is done Ctrl-C is crash's again, and undoes nothing."""
    crash, line = typed
    start = len(crash.text)
    crash.type(line + "\n")
    at = crash.read_until("crash> ", crash.read_until("Done", start))
    crash.type("\x03")
    at = crash.read_until("crash> ", at)
    assert not is_minimal(crash, at)


def test_progress_shows_on_a_terminal_only(typed: tuple[Terminal, str]) -> None:
    crash, line = typed
    start = len(crash.text)
    crash.type(line + "\n")
    at = crash.read_until("crash> ", crash.read_until("Done", start))
    said = crash.text[start:at]
    shown = re.findall(r"\rre-initialising: step (\d+) of (\d+)", said)
    assert bool(shown) is (line == APPLY and "--CRASHPAGER" not in crash.argv)
    if shown:
        steps = [int(step) for step, _ in shown]
        assert steps == sorted(set(steps)) and steps[-1] <= int(shown[-1][1])
        assert re.search(r"step \d+ of \d+ *\r +\r", said[: said.index("Done")])
