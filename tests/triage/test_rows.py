# SPDX-License-Identifier: GPL-3.0-or-later
"""One dump to one row: the samples' truth, damaged and hostile files, limits."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crashext.triage import children as kept
from crashext.triage import work
from crashext.triage.limits import Child, Ended, Limits, in_child
from crashext.triage.row import Row
from crashext.triage.work import children, examine, row_of

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
VMLINUX = SAMPLES / "vmlinux-6.1.0-56-cloud-amd64"
GUESTS = ("panicked.flat", "arm64-direct.elf", "s390x-panicked.flat",
          "ppc64le-radix.elf", "ovmf-kaslr.kdump")  # fmt: skip
#: Bytes: more than this process can have freed, which would be there for the child.
_MUCH = 4 << 30
COST: dict[str, Any] = {"bytes_read": 0, "requests": 0, "seconds": 0.0}


def truth(name: str) -> dict[str, object]:
    return dict(json.loads((SAMPLES / name).with_suffix(".json").read_text()))


@pytest.mark.parametrize("name", GUESTS)
def test_a_sample_s_row_has_what_the_guest_said_of_itself(name: str) -> None:
    row = row_of(str(SAMPLES / name))
    assert row.verdict == "needs_repair" and row.failure is None, row
    assert row.release == truth(name)["release"]
    assert row.changes and "VMCOREINFO" in row.changes[0]
    assert row.size == (SAMPLES / name).stat().st_size
    assert row.bytes_read > 0 and row.requests > 0


def test_a_row_is_plain_data() -> None:
    row = row_of(str(SAMPLES / "panicked.flat"))
    assert pickle.loads(pickle.dumps(row)) == row
    assert Row.of(json.loads(json.dumps(row.to_json()))) == row


def test_in_this_process_the_row_is_the_same() -> None:
    path = str(SAMPLES / "ovmf-kaslr.elf")
    assert examine(path)._replace(**COST) == row_of(path)._replace(**COST)


def test_a_dump_with_the_note_is_openable(tmp_path: Path) -> None:
    from crashext.cli import run

    mended = tmp_path / "right.elf"
    assert run(["repair", str(SAMPLES / "ovmf-kaslr.elf"), "-o", str(mended)]) == 0
    assert row_of(str(mended)).verdict == "openable"


def test_a_cut_off_dump_is_damaged_and_says_where(tmp_path: Path) -> None:
    data = (SAMPLES / "ovmf-kaslr.kdump").read_bytes()
    cut = tmp_path / "cut.kdump"
    cut.write_bytes(data[: len(data) * 3 // 4])
    row = row_of(str(cut))
    assert row.verdict == "damaged" and "cut off" in row.reason, row


@pytest.mark.parametrize(
    ("content", "verdict", "failure"),
    [
        (b"hello, world\n" * 500, "not_a_dump", None),
        (b"", "failed", "unreadable"),
        (b"KDUMP   " + b"\xff" * 9000, "damaged", None),
        (b"\x7fELF" + b"\xff" * 9000, "damaged", None),
        (VMLINUX.read_bytes(), "failed", "unsupported"),
    ],
)
def test_what_is_no_dump_has_a_row(
    tmp_path: Path, content: bytes, verdict: str, failure: str | None
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    row = row_of(str(path))
    assert (row.verdict, row.failure) == (verdict, failure), row
    assert row.reason and "\n" not in row.reason


def test_a_missing_file_has_a_row(tmp_path: Path) -> None:
    row = row_of(str(tmp_path / "none"))
    assert (row.verdict, row.failure) == ("failed", "unreadable")


def test_who_takes_too_long_is_ended() -> None:
    start = time.monotonic()

    def slow() -> bytes:
        time.sleep(60)
        return b""

    ended = in_child(slow, Limits(seconds=0.3))
    assert ended.failure == "limit" and "0.3 seconds" in ended.reason
    assert time.monotonic() - start < 10


def test_who_takes_too_much_memory_is_ended() -> None:
    small = Limits(memory=32 << 20)
    assert in_child(lambda: bytes(16 << 20)[:1], small).data == b"\0"
    ended = in_child(lambda: bytes(_MUCH)[:1], small)
    assert ended.failure == "limit" and "32 MiB" in ended.reason


def test_a_real_dump_over_its_limits_has_a_row_that_says_so() -> None:
    path = str(SAMPLES / "panicked.flat")
    for limits, word in (
        (Limits(seconds=0.001), "seconds"),
        (Limits(tables=1 << 10), "--max-memory"),
    ):
        row = row_of(path, limits)
        assert row.failure == "limit" and word in row.reason, row


_STARVED = """
import sys
from crashext.triage.limits import Limits
from crashext.triage.work import row_of
for memory in map(int, sys.argv[2:]):
    row = row_of(sys.argv[1], Limits(memory=memory, seconds=60))
    print(row.failure, row.seconds < 30, row.reason)
"""


@pytest.mark.parametrize("name", ["arm64-direct.elf", "ovmf-kaslr.kdump"])
def test_whoever_lacks_memory_says_so_at_once(name: str) -> None:
    # A process of its own: what this one has freed in between would be there for the child.
    sizes = [0, 1 << 16, 1 << 20, 1 << 21, 1 << 22]
    done = subprocess.run(
        [sys.executable, "-c", _STARVED, SAMPLES / name, *map(str, sizes)],
        capture_output=True, text=True, check=True, cwd=SAMPLES.parent,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert len(said) == len(sizes)
    for line in said:
        assert line.startswith("limit True") and "memory" in line, line


def test_a_thread_that_lacks_memory_is_not_waited_for() -> None:
    def waiting() -> bytes:
        done = threading.Event()

        def starved() -> None:
            bytes(_MUCH)
            done.set()

        threading.Thread(target=starved).start()
        done.wait()
        return b""

    ended = in_child(waiting, Limits(memory=32 << 20, seconds=30))
    assert ended.failure == "limit" and "memory" in ended.reason


def test_a_child_that_dies_is_said() -> None:
    def killed() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    ended = in_child(killed, Limits())
    assert ended.failure == "killed" and "SIGKILL" in ended.reason


def test_a_bug_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bytes:
        raise RuntimeError("a bug")

    assert in_child(broken, Limits()).failure == "bug"


def test_where_no_process_can_be_started_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    children.end()
    monkeypatch.setattr(os, "fork", no_fork)
    row = row_of(str(SAMPLES / "panicked.flat"))
    assert row.failure == "killed" and "no process" in row.reason
    assert in_child(lambda: b"", Limits()).failure == "killed"


def test_one_child_looks_at_several_dumps_until_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(what: str, limits: Limits) -> bytes:
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{what} {os.getpid()}".encode()

    child = Child(told)
    pid = child.pid
    for what in ("a", "b"):
        assert child.ask(what, Limits()).data.decode() == f"{what} {pid}"
    assert child.ask("die", Limits()).failure == "killed" and not child.alive


def test_a_child_that_died_meanwhile_is_replaced() -> None:
    path = str(SAMPLES / "panicked.flat")
    children.end()
    right = row_of(path)._replace(**COST)
    (child,) = children.idle
    os.kill(child.pid, signal.SIGKILL)
    assert row_of(path)._replace(**COST) == right
    assert [each.pid for each in children.idle] != [child.pid]


def test_what_other_dumps_left_in_a_child_is_not_held_against_one() -> None:
    kept: list[bytes] = []

    def hoard(what: str, limits: Limits) -> bytes:
        kept.append(bytes(20 << 20))
        return b"done"

    child = Child(hoard)
    answers: list[Ended] = []
    while child.alive and len(answers) < 20:
        answers.append(child.ask("", Limits(memory=64 << 20)))
    assert answers[0].data == b"done"
    assert (answers[-1].failure, answers[-1].again) == ("limit", True)


def test_a_child_says_of_each_dump_what_a_fresh_one_says() -> None:
    paths = sorted(str(path) for path in SAMPLES.glob("[aops]*.[efk]*"))
    shared = [row_of(path)._replace(**COST) for path in paths]
    fresh = []
    for path in paths:
        children.end()
        fresh.append(row_of(path)._replace(**COST))
    assert len(paths) > 15 and shared == fresh


def test_a_child_is_replaced_after_many_dumps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_MOST", 2)
    children.end()
    path = str(SAMPLES / "panicked.flat")
    assert row_of(path).failure is None and len(children.idle) == 1
    assert row_of(path).failure is None and children.idle == []


def test_children_end_with_their_parent() -> None:
    program = "import sys; from crashext.triage import work; work.row_of(sys.argv[1]); " \
              "print(work.children.idle[0].pid, flush=True); import os; os._exit(0)"  # fmt: skip
    words = [sys.executable, "-c", program, str(SAMPLES / "panicked.flat")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=SAMPLES.parent)
    end = time.monotonic() + 10
    while Path(f"/proc/{int(done.stdout)}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_local_file_that_changes_under_way_gives_no_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing.elf"
    path.write_bytes((SAMPLES / "ovmf-kaslr.elf").read_bytes())
    told = work._told

    def meanwhile(source: object) -> dict[str, object]:
        with path.open("ab") as file:
            file.write(b"more")
        return told(source)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "_told", meanwhile)
    row = examine(str(path))
    assert (row.verdict, row.failure) == ("failed", "changed") and row.release is None


def test_limits_are_plain_data() -> None:
    assert pickle.loads(pickle.dumps(replace(Limits(), seconds=1))) == Limits(seconds=1)
