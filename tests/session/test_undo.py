# SPDX-License-Identifier: GPL-3.0-or-later
"""An --apply that was taken back leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from .conftest import StaleCopy
from .crash_driver import OPENED, PLUGIN, TIMEOUT, guest, run_crash
from .leftovers import Left, look
from .test_parity import comparable, compare
from .test_transaction import fault, faulty, mark, section, send, start_session, wait_for

__all__ = ["fault"]

pytestmark = [pytest.mark.crash, pytest.mark.lab]

WRONG = ("-s", "--minimal", "--kaslr=0", "--machdep", "phys_base=0")
LOAD, APPLY, UNDO = f"extend {PLUGIN}", "qemufix physbase --apply", "qemufix physbase --undo"
#: What a minimal session has: memory, symbols, gdb, and each of crash's own tables.
SHOWN = """\
sym linux_banner; sym -l; sym schedule; rd -p 0 64; rd -p 1000000 64; rd linux_banner 4; dis schedule 20; log
eval 10 * 3; set; alias; extend; ascii; help -k; help -m; help -o; help -t; help -v; help -D; help -g
help -n; help -p; p jiffies; bt; ps; gdb info line schedule; help -s; vtop ffffffff81000000
"""  # noqa: E501


def shown() -> list[str]:
    return [command.strip() for command in SHOWN.replace("\n", ";").split(";") if command.strip()]


def session(folder: Path, *before: str) -> dict[str, str]:
    """What every command shows after ``before``."""
    folder.mkdir()
    commands = [f"{command} > {i}.out" for i, command in enumerate(shown())]
    done = run_crash(guest(OPENED).argv(*WRONG), [LOAD, *before, *commands], cwd=folder)
    texts = {c: (folder / f"{i}.out").read_text(errors="replace") for i, c in enumerate(shown())}
    assert done.out.count("Undone") == before.count(UNDO)
    return {command: comparable(text) for command, text in texts.items()}


def test_an_undone_session_is_as_one_that_was_never_applied(tmp_path: Path) -> None:
    never = session(tmp_path / "never", f"{APPLY} --dry-run")  # reads the same pages
    undone = session(tmp_path / "undone", APPLY, "bt", "mod", "kmem -s", UNDO)
    assert "linux_banner" in never["sym linux_banner"] and len(never["dis schedule 20"]) > 500
    assert "not available in minimal mode" in undone["bt"]
    differing = {c: (never[c], undone[c]) for c in shown() if never[c] != undone[c]}
    assert not differing


def test_an_undone_session_can_be_applied_again(tmp_path: Path) -> None:
    """And is then what one is that was started right."""
    compare(guest(OPENED), list(WRONG[1:]), tmp_path, before=[APPLY, "bt", UNDO])


def test_undo_on_pipes_and_from_files(tmp_path: Path) -> None:
    """The commands go on where they were, each once, wherever they come from."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"!echo 1 >> trace\n{APPLY} | cat > said\n!echo 2 >> trace\n"
                   f"{UNDO} | cat > undone\n!echo 3 >> trace\n"
                   "qemufix status | head -1 > status\n")  # fmt: skip
    two.write_text(f"!echo 5 >> trace\n{UNDO}\n!echo 6 >> trace\n")
    commands = [LOAD, f"< {one}", "!echo 4 >> trace", f"{APPLY} > again", f"< {two}",
                "!echo 7 >> trace", "sym linux_banner > alive", "quit"]  # fmt: skip
    done = run_crash(guest(OPENED).argv(*WRONG), commands, cwd=tmp_path)
    assert (tmp_path / "trace").read_text().split() == list("1234567"), done.out
    assert "Done" in (tmp_path / "said").read_text()
    assert (tmp_path / "undone").read_text() == "Undone: this is the session as it was started.\n"
    assert "minimal session as it was started" in (tmp_path / "status").read_text()
    assert "linux_banner" in (tmp_path / "alive").read_text()
    assert done.status == 0


def test_what_an_input_file_still_holds_is_not_lost(tmp_path: Path) -> None:
    """Applied from one file, undone from another: the first is not gone back to."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"{LOAD}\n{APPLY}\n")
    two.write_text(f"{UNDO}\n!echo on >> trace\n")
    case = guest(OPENED)
    out = run_crash(case.argv(*WRONG, "-i", str(one)), [f"< {two}", UNDO, "bt"], cwd=tmp_path).out
    assert "not undone, the session is as it was: what is left of this input file" in out
    assert (tmp_path / "trace").read_text() == "on\n"
    assert "Undone" in out and "bt: command not available in minimal mode" in out


@pytest.mark.parametrize(
    ("step", "kind"),
    [("note_input_file", "error"), ("note_stdin", "segv"), ("note_typed", "refuse"),
     ("ask_origin", "refuse")],
)  # fmt: skip
def test_each_fault_leaves_the_applied_session(
    fault: str, step: str, kind: str, tmp_path: Path
) -> None:
    alive = [
        "sym linux_banner",
        "task_struct.comm init_task",
        "rd linux_banner 2",
        "help -k | grep relocate:",
    ]
    commands = [f"extend {fault}", LOAD, APPLY, mark(0), *alive, mark(1),
                f"fault {step} {kind}", UNDO, f"fault {step} none", mark(2), *alive, mark(3),
                UNDO, mark(4), "p init_task.comm", mark(5)]  # fmt: skip
    case = guest(OPENED)
    out = run_crash(case.argv(*WRONG), commands, cwd=tmp_path, env=faulty()).out
    said = section(out, 1)
    assert "not undone, the session is as it was: " in said and "Undone" not in said, out
    assert "swapper" in section(out, 0)
    assert section(out, 2) == section(out, 0)
    assert "Undone" in section(out, 3)
    assert "not available in minimal mode" in section(out, 4)


def test_a_process_that_does_not_answer_is_said(tmp_path: Path) -> None:
    """Stopped, the one that waits can't go on: the session stays, and does not hang."""
    running = start_session(guest(OPENED), tmp_path, faulty())
    send(running, LOAD, APPLY, "p init_task.comm > there")
    wait_for(tmp_path / "there", "swapper")
    os.kill(running.pid, signal.SIGSTOP)
    start = time.monotonic()
    send(running, UNDO, "p init_task.comm > still")
    wait_for(tmp_path / "still", "swapper")
    assert time.monotonic() - start < TIMEOUT
    assert "does not answer" in (tmp_path / "out").read_text()
    os.kill(running.pid, signal.SIGCONT)
    send(running, "quit")
    assert running.wait(TIMEOUT) == 0


def test_apply_and_undo_leave_nothing(tmp_path: Path) -> None:
    commands = [LOAD, APPLY, UNDO, look("before"), *[APPLY, UNDO] * 3, look("after")]
    out = run_crash(guest(OPENED).argv(*WRONG), commands, cwd=tmp_path, timeout=4 * TIMEOUT).out
    assert out.count("Undone") == 4, out
    before, after = Left.read(tmp_path / "before"), Left.read(tmp_path / "after")
    after.shows_no_leak_since(before)


def test_status_survives_a_restart_and_undo_starts_as_the_first_time(
    stale: StaleCopy, tmp_path: Path
) -> None:
    commands = [LOAD, f"{APPLY} --restart", "qemufix status --json > applied", UNDO,
                "qemufix status --json > undone", "help -m > translation", UNDO,
                "qemufix status | head -1 > in-another"]  # fmt: skip
    argv = stale.case.argv("-s", *stale.wrong)
    out = run_crash(argv, commands, cwd=tmp_path).out
    applied = json.loads((tmp_path / "applied").read_text())
    assert (applied["state"], applied["applied"]["way"]) == ("applied", "restart"), out
    assert applied["applied"]["before"]["phys_base"] == f"{stale.phys_base:#x}"
    assert applied["now"]["phys_base"] == stale.case.phys_base
    assert applied["undo"] == "restart" and applied["kept"] and applied["banner"]
    undone = json.loads((tmp_path / "undone").read_text())
    assert undone["state"] == "undone"
    assert undone["now"]["phys_base"] == f"{stale.phys_base:#x}"
    assert f" phys_base: {stale.phys_base:x}\n" in (tmp_path / "translation").read_text()
    assert "there is nothing to undo" in out
