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

from crashext.triage.limits import Limits, in_child
from crashext.triage.row import Row
from crashext.triage.work import examine, row_of

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
VMLINUX = SAMPLES / "vmlinux-6.1.0-56-cloud-amd64"
GUESTS = ("panicked.flat", "arm64-direct.elf", "s390x-panicked.flat",
          "ppc64le-radix.elf", "ovmf-kaslr.kdump")  # fmt: skip
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
    ended = in_child(lambda: bytes(64 << 20)[:1], small)
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
            bytes(64 << 20)
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

    def no_fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", no_fork)
    assert in_child(lambda: b"", Limits()).failure == "killed"


def test_a_local_file_that_changes_under_way_gives_no_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing.elf"
    path.write_bytes((SAMPLES / "ovmf-kaslr.elf").read_bytes())
    from crashext.triage import work

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
