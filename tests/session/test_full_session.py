# SPDX-License-Identifier: GPL-3.0-or-later
"""Full sessions: right ones are left alone, wrong ones start again."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import StaleCopy
from .crash_driver import PLUGIN, environment, guest, run_crash
from .test_parity import compare

pytestmark = [pytest.mark.crash, pytest.mark.lab]


def test_right_session_is_left_alone(tmp_path: Path) -> None:
    case = guest("ovmf-nokaslr.kdump")
    commands = [
        f"extend {PLUGIN}",
        "help -p | grep program_pid",
        "qemufix physbase --apply",
        "help -p | grep program_pid",
    ]
    out = run_crash(case.argv("-s", *case.right), commands, cwd=tmp_path).out
    assert "already: nothing to change" in out
    assert "crash starts again" not in out
    pids = [line for line in out.splitlines() if " program_pid: " in line]
    assert len(pids) == 2
    assert pids[0] == pids[1]


def test_wrong_session_starts_again_and_is_right(stale: StaleCopy, tmp_path: Path) -> None:
    compare(stale.case, stale.wrong, tmp_path)


def test_restart_keeps_waiting_commands_and_state(stale: StaleCopy, tmp_path: Path) -> None:
    """From an input file: its rest runs once, and then what is waiting on stdin."""
    script = tmp_path / "commands"
    lines = [
        f"extend {PLUGIN}",
        "set radix 16",
        "!echo before >> trace",
        "qemufix physbase --apply",
        "!echo after >> trace",
        "set radix > radix",
        "help -m > translation",
    ]
    script.write_text("".join(line + "\n" for line in lines))
    argv = stale.case.argv("-s", *stale.wrong, "-i", str(script))
    done = run_crash(argv, ["!echo stdin >> trace", "qemufix physbase --apply"], cwd=tmp_path)
    assert (tmp_path / "trace").read_text().split() == ["before", "after", "stdin"], done.out
    assert "16" in (tmp_path / "radix").read_text()
    right = int(stale.case.phys_base, 16)
    assert f" phys_base: {right:x}\n" in (tmp_path / "translation").read_text()
    assert "crash starts again" in done.out
    assert "already: nothing to change" in done.out


def test_restart_is_not_repeated(stale: StaleCopy, tmp_path: Path) -> None:
    env = environment(QEMUFIX_RESTARTED="1")
    commands = [f"extend {PLUGIN}", "qemufix physbase --apply", "p jiffies_64"]
    done = run_crash(stale.case.argv("-s", *stale.wrong), commands, cwd=tmp_path, env=env)
    assert "started again already" in done.out
    assert "jiffies_64 = " in done.out
