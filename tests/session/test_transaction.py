# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever goes wrong while a session is put right, the user keeps the session."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .crash_driver import (
    OPENED,
    PLUGIN,
    ROOT,
    TIMEOUT,
    Guest,
    build_extension,
    environment,
    guest,
    run_crash,
)

pytestmark = [pytest.mark.crash, pytest.mark.lab]

WRONG = ("-s", "--minimal", "--kaslr=0", "--machdep", "phys_base=0")
#: Shows that reads, symbols and gdb work and that nothing has moved.
ALIVE = ["sym linux_banner", "rd -p 0 2", "dis schedule 1", "help -k | grep relocate:"]


@pytest.fixture(scope="module")
def fault(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The extension of fault.c, built for the crash that is installed."""
    library = tmp_path_factory.mktemp("fault") / "fault.so"
    return str(build_extension("fault.c", library))


def faulty(**extra: str) -> dict[str, str]:
    return environment(QEMUFIX_HOST=str(ROOT / "crashext" / "_host.so"), **extra)


def section(out: str, number: int) -> str:
    """What came between the marks number and number + 1."""
    return out.partition(f"mark{number}\n")[2].partition(f"mark{number + 1}\n")[0]


def mark(number: int) -> str:
    return f"!echo mark{number}"


FAULTS = [
    ("kernel_init", "exit", "stage kernel_init failed"),
    ("vm_init", "segv", "stage vm_init ended by signal 11"),
    ("task_init", "spoil", "stage task_init failed: crash: this is the fault"),
    ("machdep_init_post_init", "error", "failed: crash: this is the fault"),
]


def test_each_fault_leaves_the_session_as_it_was(fault: str, tmp_path: Path) -> None:
    case = guest(OPENED)
    commands = [f"extend {fault}", f"extend {PLUGIN}", mark(0), *ALIVE]
    for i, (stage, kind, _) in enumerate(FAULTS):
        commands += [mark(2 * i + 1), f"fault {stage} {kind}", "qemufix physbase --apply"]
        commands += [f"fault {stage} none", mark(2 * i + 2), *ALIVE]
    last = 2 * len(FAULTS) + 1
    commands += [mark(last), "qemufix physbase --apply", "bt 0", mark(last + 1)]
    limit = TIMEOUT * (len(FAULTS) + 1)
    out = run_crash(case.argv(*WRONG), commands, cwd=tmp_path, env=faulty(), timeout=limit).out
    untouched = section(out, 0)
    assert "linux_banner" in untouched
    for i, (_, _, words) in enumerate(FAULTS):
        said = section(out, 2 * i + 1)
        assert words in said
        assert "nothing was changed; the session is as it was" in said
        assert "Done" not in said
        assert section(out, 2 * i + 2) == untouched
    assert "Done: this is a full session now." in section(out, last)
    assert "swapper/0" in section(out, last)


def test_a_hang_ends_at_the_limit(fault: str, tmp_path: Path) -> None:
    case = guest(OPENED)
    commands = [
        f"extend {fault}", f"extend {PLUGIN}", "fault relocate_symbols hang",
        mark(0), *ALIVE, mark(1), "qemufix physbase --apply", mark(2), *ALIVE, mark(3),
    ]  # fmt: skip
    env = faulty(QEMUFIX_TIME_LIMIT="1.5")
    start = time.monotonic()
    out = run_crash(case.argv(*WRONG), commands, cwd=tmp_path, env=env).out
    assert "stage relocate_symbols not done within 1.5 s" in section(out, 1)
    assert section(out, 2) == section(out, 0)
    assert time.monotonic() - start < TIMEOUT


def start_session(case: Guest, tmp_path: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        case.argv(*WRONG), stdin=subprocess.PIPE, stdout=(tmp_path / "out").open("wb"),
        stderr=subprocess.STDOUT, cwd=tmp_path, env=env,
    )  # fmt: skip


def wait_for(file: Path, words: str = "") -> str:
    """The file's text once it is there with the words in it."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        if file.exists() and words in (text := file.read_text(errors="replace")) and text:
            return text
        time.sleep(0.1)
    raise AssertionError(f"{file} never held {words!r}")


def send(session: subprocess.Popen[bytes], *commands: str) -> None:
    assert session.stdin is not None
    session.stdin.write("".join(c + "\n" for c in commands).encode())
    session.stdin.flush()


def session_pid(tmp_path: Path) -> int:
    found = re.search(r"program_pid: (\d+)", wait_for(tmp_path / "pid", "cur_gdb_cmd"))
    assert found
    return int(found[1])


APPLY = (f"extend {PLUGIN}", "qemufix physbase --apply", "help -p > pid")


def test_exit_status_and_signals_go_through(tmp_path: Path) -> None:
    """The process that the shell knows stands for the session behind it."""
    case = guest(OPENED)
    session = start_session(case, tmp_path, environment())
    send(session, *APPLY)
    behind = session_pid(tmp_path)
    assert behind != session.pid
    os.kill(behind, signal.SIGKILL)
    assert session.wait(TIMEOUT) == -signal.SIGKILL


def test_session_ends_with_the_process_in_front(tmp_path: Path) -> None:
    case = guest(OPENED)
    session = start_session(case, tmp_path, environment())
    send(session, *APPLY)
    behind = session_pid(tmp_path)
    session.kill()
    session.wait(TIMEOUT)
    end = time.monotonic() + TIMEOUT
    while Path(f"/proc/{behind}").exists():
        state = Path(f"/proc/{behind}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            break
        assert time.monotonic() < end
        time.sleep(0.1)
