# SPDX-License-Identifier: GPL-3.0-or-later
"""Dask as an engine: its own workers and those of others, some of which die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from crashext.errors import EngineError
from crashext.triage.limits import Limits
from crashext.triage.row import Row
from crashext.triage.store import Store
from crashext.triage.work import row_of

from .runs import lasting, seen

pytest.importorskip("distributed")

from crashext.triage.engines import dask
from crashext.triage.engines.dask import Dask, look

ROOT = Path(__file__).parents[2]


def killing(engine: Dask, work: object, urls: Iterator[str]) -> Iterator[Row]:
    """Kill a worker when the first row is there."""
    rows = engine(work, urls)  # type: ignore[arg-type]
    yield next(rows)
    assert engine.client is not None
    os.kill(next(iter(engine.client.run(os.getpid).values())), signal.SIGKILL)
    yield from rows


def test_the_rows_are_those_of_one_by_one_though_a_worker_is_killed(fleet: Path) -> None:
    engine = Dask(workers=2)
    with Store() as store:
        rows, _ = seen(store, fleet, partial(killing, engine))
    assert len(rows) == 11
    assert lasting(rows) == lasting([row_of(row.url) for row in rows])
    assert engine.client is None


def die(url: str) -> Row:
    if "bad" in url:
        os.kill(os.getpid(), signal.SIGKILL)
    return Row(url, verdict="openable")


def test_a_dump_that_kills_every_worker_is_left() -> None:
    rows = {row.url: row for row in Dask(workers=2)(die, ["a", "bad", "b", *map(str, range(20))])}
    assert len(rows) == 23
    assert rows["bad"].failure == "killed" and "died" in rows["bad"].reason
    assert [row.verdict for url, row in rows.items() if url != "bad"] == ["openable"] * 22


def test_few_are_asked_for_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_OUT", 10)
    drawn = 0

    def urls() -> Iterator[str]:
        nonlocal drawn
        for number in range(200):
            drawn += 1
            yield str(number)

    most = 0
    for told, _ in enumerate(Dask(workers=1)(die, urls())):
        most = max(most, drawn - told)
    assert (drawn, told) == (200, 199) and most <= 11


def test_limits_hold_in_its_workers(fleet: Path) -> None:
    path = str(fleet / "panicked.flat")
    for limits, word in ((Limits(memory=1 << 20), "memory"), (Limits(seconds=0.01), "seconds")):
        (row,) = Dask(workers=1)(partial(row_of, limits=limits), [path])
        assert row.failure == "limit" and word in row.reason, row


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Somebody else's cluster: a scheduler, and a worker of three threads."""
    told = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "dask"]
    place = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first = subprocess.Popen(
        [*start, "scheduler", "--scheduler-file", told, "--host", "127.0.0.1", "--port", "0",
         "--no-dashboard"], **place, **quiet)  # type: ignore[call-overload]  # fmt: skip
    worker = subprocess.Popen(
        [*start, "worker", "--scheduler-file", told, "--nthreads", "3", "--no-dashboard"],
        **place, **quiet)  # type: ignore[call-overload]  # fmt: skip
    end = time.monotonic() + 60
    while not told.exists() or not told.read_text():
        assert time.monotonic() < end
        time.sleep(0.1)
    yield json.loads(told.read_text())["address"], first
    for process in (worker, first):
        process.terminate()
        process.wait(30)


def test_a_cluster_that_runs_already_is_used(
    fleet: Path, scheduler: tuple[str, subprocess.Popen[bytes]]
) -> None:
    words = [sys.executable, "-m", "crashext", "triage", str(fleet), "--scheduler", scheduler[0]]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 11, done
    assert "11 files" in done.stderr


def test_a_scheduler_that_is_lost_is_said(scheduler: tuple[str, subprocess.Popen[bytes]]) -> None:
    rows = Dask(scheduler[0])(row_of, map(str, range(2000)))
    next(rows)
    scheduler[1].kill()
    with pytest.raises(EngineError, match="lost"):
        list(rows)


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_PATIENCE", 1)
    with pytest.raises(EngineError, match="can't be used"):
        list(Dask("tcp://127.0.0.1:1")(row_of, ["a"]))
    with pytest.raises(EngineError, match="can't be used"):
        list(Dask("nonsense://127.0.0.1:1")(row_of, ["a"]))


def test_a_worker_of_another_version_is_said() -> None:
    with pytest.raises(EngineError, match=r"a worker has qemufix .* this is 0\.0"):
        look(row_of, "a", "0.0")


def broken(url: str) -> Row:
    raise ModuleNotFoundError(f"No module named {url}")


def test_workers_without_what_they_need_are_said() -> None:
    with pytest.raises(EngineError, match="No module named a"):
        list(Dask(workers=1)(broken, ["a"]))


def test_nothing_starts_for_nothing() -> None:
    assert list(Dask("tcp://127.0.0.1:1")(row_of, [])) == []
