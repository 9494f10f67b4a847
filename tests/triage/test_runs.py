# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs over a small fleet: the store, going on after a break, engines, groups, the command."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from crashext.cli import run as command
from crashext.cli.triage.course import connections_may_end
from crashext.cli.triage.tally import Tally
from crashext.errors import UnreadableDump
from crashext.triage.engines.pool import Pool
from crashext.triage.groups import duplicates, incidents
from crashext.triage.limits import Limits
from crashext.triage.places.find import Item, find
from crashext.triage.row import Row
from crashext.triage.store import Store
from crashext.triage.work import row_of

from .runs import lasting, seen

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_dumps"
QUERIES = (ROOT / "docs" / "triage.md").read_text().split("```sql\n")[1:]


def test_all_engines_give_each_dump_one_row_and_the_same(fleet: Path) -> None:
    with Store() as store:
        alone, _ = seen(store, fleet)
    with Store() as store:
        pooled, _ = seen(store, fleet, Pool(2))
        assert lasting(list(store.rows())) == lasting(pooled)
    assert len(alone) == 11 == len({row.url for row in alone})
    assert lasting(alone) == lasting(pooled)
    verdicts = {Path(row.url).name: row.verdict for row in alone}
    assert verdicts["panicked.flat"] == verdicts["arm64-direct.elf"] == "needs_repair"
    assert verdicts["reset-vector.flat"] == "uncertain"
    assert verdicts["cut.kdump"] == "damaged"
    assert verdicts["hostile.elf"] == "failed"
    assert verdicts["notes.txt"] == "not_a_dump"
    assert verdicts["name-%FF%1B%5B31m.elf"] == "damaged"


def test_what_is_known_is_skipped_until_it_changes(fleet: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite")
    with Store(path) as store:
        first, known = seen(store, fleet)
        assert known == 0
    with Store(path) as store:
        second, known = seen(store, fleet, lambda work, urls: pytest.fail(f"{list(urls)}") if
                             list(urls) else iter(()))  # fmt: skip
    assert known == len(first) and sorted(second) == sorted(first)
    os.utime(fleet / "panicked.flat")
    with Store(path) as store:
        third, known = seen(store, fleet)
    assert known == len(first) - 1 and len(third) == len(first)


def test_a_failure_that_may_pass_is_tried_again(fleet: Path, tmp_path: Path) -> None:
    with Store(str(tmp_path / "s")) as store:
        item = Item("/d", "5 mtime 1")
        passing = ("limit", "killed", "unreadable", "changed")
        for failure in (*passing, "unsupported", None):
            store.put(Row("/d", "5 mtime 1", failure=failure))  # type: ignore[arg-type]
            assert (store.known(item) is None) == (failure in passing), failure
        assert store.known(Item("/d", "6 mtime 1")) is None is store.known(Item("/d"))


def test_a_path_given_twice_is_looked_at_once(fleet: Path) -> None:
    with Store() as store:
        file = str(fleet / "panicked.flat")
        paths = [file, str(fleet), os.path.relpath(file), str(fleet / "pan*.flat")]
        assert store.ask(find(paths, pytest.fail)) == 11


def test_an_interrupted_run_goes_on(fleet: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite")

    def broken_off(work: object, urls: Iterator[str]) -> Iterator[Row]:
        for count, url in enumerate(urls):
            if count == 4:
                raise KeyboardInterrupt
            yield row_of(url)

    with Store(path) as store, pytest.raises(KeyboardInterrupt):
        seen(store, fleet, broken_off)  # type: ignore[arg-type]
    with Store(path) as store:
        rows, known = seen(store, fleet)
        assert (len(rows), known) == (11, 4)


@pytest.mark.parametrize("times", [1, 2])
def test_workers_that_are_killed_are_survived(fleet: Path, times: int) -> None:
    pool = Pool(2)
    killed: list[int] = []

    def killing(work: object, urls: Iterator[str]) -> Iterator[Row]:
        for row in pool(work, urls):  # type: ignore[arg-type]
            if len(killed) < times:
                # One that was killed just now may not have been replaced yet.
                with suppress(ProcessLookupError):
                    os.kill(pool.pids[-1], signal.SIGKILL)
                    killed.append(pool.pids[-1])
            yield row

    with Store() as store:
        rows, _ = seen(store, fleet, killing)  # type: ignore[arg-type]
        assert lasting(rows) == lasting([row_of(row.url) for row in rows])
    assert len(rows) == 11 and len(killed) == times
    assert pool.pids == []


def die(url: str) -> Row:
    if "bad" in url:
        os.kill(os.getpid(), signal.SIGKILL)
    return Row(url, verdict="openable")


def test_a_dump_that_kills_every_worker_is_left() -> None:
    rows = {row.url: row for row in Pool(2)(die, ["a", "bad", "b", *map(str, range(20))])}
    assert len(rows) == 23
    assert rows["bad"].failure == "killed" and "died" in rows["bad"].reason
    others = [row.verdict for url, row in rows.items() if url != "bad"]
    assert others == ["openable"] * 22


def test_limits_hold_in_a_fresh_worker(fleet: Path) -> None:
    with Store() as store:
        rows, _ = seen(store, fleet, Pool(1), Limits(memory=1 << 20))
    found = {Path(row.url).name: row for row in rows}
    for name in ("panicked.flat", "arm64-direct.elf"):
        assert found[name].failure == "limit" and "memory" in found[name].reason, found[name]


def test_a_store_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as base:
        base.execute("CREATE TABLE mine (x)")
    before = other.read_bytes()
    with pytest.raises(UnreadableDump, match="another's"):
        Store(str(other))
    assert other.read_bytes() == before
    text = tmp_path / "text"
    text.write_text("no database " * 100)
    with pytest.raises(UnreadableDump, match="store"):
        Store(str(text))


def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    Store(str(path)).__exit__(None, None, None)
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 99")
    with pytest.raises(UnreadableDump, match="schema 99"):
        Store(str(path))


def panic(url: str, **other: object) -> Row:
    facts = {"build_id": "b1", "release": "6.1", "panic": "sysrq", "panic_function": "f",
             "hostname": url, "boot_time": "2026-11-27T01:00:00+00:00", "uptime": 60.5,
             "log_digest": "d", "verdict": "openable"}  # fmt: skip
    return Row(url)._replace(**{**facts, **other})  # type: ignore[arg-type]


def test_incidents_and_duplicates() -> None:
    with Store() as store:
        for row in (
            panic("a"), panic("b"), panic("c", uptime=61.0), panic("d", log_digest="other"),
            panic("e", build_id="b2"), panic("f", panic_function="g"),
            panic("g", panic=None, panic_function=None, log_digest=None, build_id=None),
        ):  # fmt: skip
            store.put(row)
        first, *others = incidents(store)
        assert (first.kernel, first.panic_function, first.dumps, first.hosts) == ("b1", "f", 4, 4)
        assert (first.first_seen, first.last_seen) == ("2026-11-27 01:01:00", "2026-11-27 01:01:01")
        assert [(each.kernel, each.panic_function, each.dumps) for each in others] == [
            ("b1", "g", 1), ("b2", "f", 1),
        ]  # fmt: skip
        (same,) = duplicates(store)
        assert same.urls == ("a", "b", "f")


@pytest.mark.lab
def test_two_dumps_of_one_moment_are_duplicates() -> None:
    dumps = ROOT / "lab" / "dumps"
    with Store() as store:
        for name in ("panicked.elf", "panicked.kdump", "user-pti.kdump", "kexec-stale-note.elf"):
            store.put(row_of(str(dumps / name)))
        (same,) = duplicates(store)
        assert [Path(url).name for url in same.urls] == ["panicked.elf", "panicked.kdump"]
        assert incidents(store)[0].panic_function == "sysrq_handle_crash"


def test_the_queries_of_the_manual_work() -> None:
    assert len(QUERIES) == 5
    with Store() as store:
        store.put(panic("a"))
        store.put(panic("b", verdict="damaged"))
        store.put(panic("c", verdict="needs_repair", changes=("VMCOREINFO",), origin="qemu"))
        for each in QUERIES:
            assert store.query(each.split("```")[0]), each


def triage(*words: str) -> tuple[int, list[dict[str, object]], str]:
    out, err = io.StringIO(), io.StringIO()
    status = command(["triage", *words], out=out, err=err)
    return status, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def test_the_command_prints_a_line_each_and_a_summary_beside(fleet: Path) -> None:
    status, rows, said = triage(str(fleet), "-j", "2")
    assert status == 1 and len(rows) == 11
    assert set(rows[0]) == {"schema", *Row._fields}
    assert "11 files" in said and "requests" in said and "\x1b" not in said


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (("panicked.flat",), 0),
        (("panicked.flat", "sub/notes.txt"), 0),
        (("panicked.flat", "none"), 1),
        (("panicked.flat", "sub/cut.kdump"), 1),
        (("sub/cut.kdump",), 1),
        (("sub/notes.txt",), 3),
        (("none",), 3),
    ],
)
def test_exit_statuses(fleet: Path, names: tuple[str, ...], status: int) -> None:
    assert triage("-j", "1", *(str(fleet / name) for name in names))[0] == status


def test_a_pattern_that_fits_nothing_is_told(tmp_path: Path) -> None:
    status, rows, said = triage("-j1", str(tmp_path / "*.kdump"))
    assert status == 3 and rows[0]["failure"] == "unreadable" and "no file fits" in said


def test_wrong_options_are_usage_errors(tmp_path: Path) -> None:
    for words in (
        [],
        ["x", "-j", "0"],
        ["x", "--memory-limit", "much"],
        ["x", "--time-limit", "0"],
    ):
        assert triage(*words)[0] == 2, words


def test_ctrl_c_leaves_a_store_that_goes_on(fleet: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "store.sqlite")
    many = tmp_path / "many"
    many.mkdir()
    for number in range(60):
        (many / f"{number}.flat").write_bytes((fleet / "panicked.flat").read_bytes())
    words = [sys.executable, "-m", "crashext", "triage", str(many), "--store", store, "-j", "2"]
    going = subprocess.Popen(
        # Who runs the tests in the background may have it ignored.
        ["env", "--default-signal=INT", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert going.stdout is not None
    for _ in range(3):
        assert going.stdout.readline()
    going.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, said = going.communicate(timeout=30)
    assert going.returncode == 130 and time.monotonic() - start < 10
    assert "interrupted" in said and "Traceback" not in said
    with sqlite3.connect(store) as base:
        (done,) = base.execute("SELECT count(*) FROM dumps").fetchone()
    assert 3 <= done < 60
    status, rows, said = triage(str(many), "--store", store, "-j", "2")
    assert (status, len(rows)) == (0, 60) and f"{done} of them known already" in said


def test_a_reader_that_goes_away_ends_it_quietly(fleet: Path, tmp_path: Path) -> None:
    """And nothing else that closes a connection: Dask's and the stores' do."""
    for number in range(60):
        (tmp_path / f"{number}.flat").symlink_to(fleet / "panicked.flat")
    going = subprocess.Popen(
        [sys.executable, "-m", "crashext", "triage", str(tmp_path), "-j", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert going.stdout is not None and going.stderr is not None
    assert json.loads(going.stdout.readline())["release"]
    going.stdout.close()
    assert going.wait(60) == -signal.SIGPIPE
    assert going.stderr.read() == ""


def test_a_connection_that_ends_is_an_error_and_no_signal() -> None:
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        with connections_may_end():
            reader, writer = os.pipe()
            os.close(reader)
            with pytest.raises(BrokenPipeError), open(writer, "wb", 0) as pipe:  # noqa: PTH123
                pipe.write(b"x")
        assert signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_a_tally_knows_its_status_and_rate() -> None:
    tally = Tally(4)
    tally.add(Row("a", verdict="openable", bytes_read=5, requests=1), False)
    tally.add(Row("b", verdict="not_a_dump"), True)
    assert tally.status() == 0 and (tally.known, tally.looked_at, tally.bytes_read) == (1, 1, 5)
    tally.add(Row("c", verdict="uncertain"), False)
    assert tally.status() == 1


def test_the_live_table_shows_rows_rate_and_estimate(fleet: Path) -> None:
    pytest.importorskip("rich")
    pexpect_free = subprocess.run(
        ["script", "-qec", f"{sys.executable} -m crashext triage {fleet} -j 2", "/dev/null"],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "160"},
    )  # fmt: skip
    said = pexpect_free.stdout
    assert pexpect_free.returncode == 1
    assert "11 of 11" in said and "a second" in said and "needs_repair" in said
    assert "\x1b[31m.elf" not in said
