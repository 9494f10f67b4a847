# SPDX-License-Identifier: GPL-3.0-or-later
"""A .crashrc that puts sessions right where they need it, and is not heard where they don't."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from .conftest import StaleCopy
from .crash_driver import OPENED, PLUGIN, Finished, Guest, environment, guest, run_crash

pytestmark = [pytest.mark.crash, pytest.mark.lab]

MINIMAL = ["--minimal", "--kaslr=0", "--machdep", "phys_base=0"]
RC = f"extend {PLUGIN} > /dev/null\nqemufix physbase --apply --quiet\n!echo rest >> trace\n"
STATUS = "qemufix status | head -1 > status"


@pytest.fixture(params=["home", "cwd"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where crash looks for one: in the home, or where it is started."""
    where = tmp_path / "home" if request.param == "home" else tmp_path
    where.mkdir(exist_ok=True)
    (where / ".crashrc").write_text(RC)
    return where


def run(case: Guest, options: Sequence[str], commands: Sequence[str], cwd: Path,
        **env: str) -> Finished:  # fmt: skip
    argv = [word for word in case.argv("-s", *options) if word != "--no_crashrc"]
    home = cwd / "home"
    return run_crash(argv, commands, cwd=cwd, env=environment(HOME=str(home), **env))


def said(done: Finished) -> list[str]:
    """What we said: whatever crash says itself is in every session."""
    words = ("qemufix", "Re-init", "Done", "Starting", "session", "unexpected")
    return [line for line in done.out.splitlines() if any(word in line for word in words)]


def test_a_minimal_session_is_put_right(place: Path, tmp_path: Path) -> None:
    done = run(guest(OPENED), MINIMAL, ["p init_task.comm > comm", STATUS], tmp_path)
    assert "swapper" in (tmp_path / "comm").read_text(), done.out
    first, last = said(done)
    assert first.startswith("Re-initialising the session with phys_base")
    assert last == "Done: this is a full session now."
    assert (tmp_path / "trace").read_text() == "rest\n"
    assert (tmp_path / "status").read_text().startswith("Put right as it ran at")


def test_a_right_session_hears_nothing(place: Path, tmp_path: Path) -> None:
    case = guest(OPENED)
    for options in (case.right, ["--minimal", *case.right]):
        done = run(case, options, [STATUS], tmp_path)
        assert said(done) == []
        assert (tmp_path / "status").read_text().startswith("Nothing was applied in this")
    assert (tmp_path / "trace").read_text() == "rest\nrest\n"


@pytest.mark.parametrize("name", ["kdump-vmcore.elf", "kdump-filtered.kdump"])
def test_a_dump_of_another_tool_hears_nothing(name: str, tmp_path: Path) -> None:
    """What the guest's own kdump service has saved."""
    (tmp_path / ".crashrc").write_text(RC)
    case = guest(name)
    done = run(case, [], ["qemufix detect > seen", "p init_task.comm > comm"], tmp_path)
    assert "swapper" in (tmp_path / "comm").read_text(), done.out
    assert "written by QEMU" not in (tmp_path / "seen").read_text()
    assert said(done) == []
    assert (tmp_path / "trace").read_text() == "rest\n"


def test_a_full_session_with_a_wrong_value_starts_again_once(
    stale: StaleCopy, place: Path, tmp_path: Path
) -> None:
    done = run(stale.case, stale.wrong, ["help -m > translation", STATUS], tmp_path)
    right = int(stale.case.phys_base, 16)
    assert f" phys_base: {right:x}\n" in (tmp_path / "translation").read_text(), done.out
    assert done.out.count("Starting crash again") == 1
    assert (tmp_path / "trace").read_text() == "rest\n"
    assert "by starting crash again" in (tmp_path / "status").read_text()


def test_an_error_is_one_line_and_the_file_goes_on(place: Path, tmp_path: Path) -> None:
    done = run(guest(OPENED), MINIMAL, ["sym linux_banner > alive"], tmp_path,
               QEMUFIX_TIME_LIMIT="soon")  # fmt: skip
    errors = [line for line in said(done) if not line.startswith("Re-init")]
    assert errors == ["qemufix: QEMUFIX_TIME_LIMIT=soon is no number of seconds"]
    assert (tmp_path / "trace").read_text() == "rest\n"
    assert "linux_banner" in (tmp_path / "alive").read_text()


def test_undo_is_not_undone_by_the_file(stale: StaleCopy, tmp_path: Path) -> None:
    (tmp_path / ".crashrc").write_text(RC)
    undo = ["qemufix physbase --undo", STATUS, "bt > bt"]
    done = run(guest(OPENED), MINIMAL, undo, tmp_path)
    assert "What was applied" in (tmp_path / "status").read_text(), done.out
    assert (tmp_path / "bt").read_text() == "" or "minimal" in (tmp_path / "bt").read_text()
    assert (tmp_path / "trace").read_text() == "rest\nrest\n"  # in both sessions
    done = run(stale.case, stale.wrong, [*undo, "help -m > translation"], tmp_path)
    assert f" phys_base: {stale.phys_base:x}\n" in (tmp_path / "translation").read_text(), done.out
    assert done.out.count("Starting crash again") == 2
