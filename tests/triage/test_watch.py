# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps as they come: slow writers, renames, files that vanish; and what is run for each."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crashext.triage.row import Row
from crashext.triage.store import Store
from crashext.triage.watch.arrivals import Arrivals
from crashext.triage.watch.call import Call

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_dumps"
SAMPLE = SAMPLES / "ovmf-kaslr.elf"
REST = 0.6
PATIENCE = 60.0

#: Writes a dump as libvirt does, under its final name: argv: source, target, way.
WRITER = """
import os, sys, time
data = open(sys.argv[1], "rb").read()
how = sys.argv[3]
if how == "renamed":
    name = sys.argv[2] + ".part"
    with open(name, "wb") as file:
        file.write(data)
    os.rename(name, sys.argv[2])
    sys.exit()
fd = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
if how == "sized":
    os.ftruncate(fd, len(data))
for at in range(0, len(data), len(data) // 4 + 1):
    os.pwrite(fd, data[at : at + len(data) // 4 + 1], at)
    print("part", flush=True)
    time.sleep(float(sys.argv[4]))
    if how == "reopened":
        os.close(fd)
        fd = os.open(sys.argv[2], os.O_RDWR)
os.close(fd)
print("whole", flush=True)
"""


class Watching:
    """A watch in a process of its own; its lines as they come."""

    def __init__(self, folder: Path, *words: object) -> None:
        self._process = subprocess.Popen(
            # Who runs the tests in the background may have it ignored.
            ["env", "--default-signal=INT", sys.executable, "-m", "crashext", "triage", "--watch",
             "--json", "-j1", "--rest", str(REST), *map(str, words), str(folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)

    def row(self, patience: float = PATIENCE) -> dict[str, Any]:
        return dict(json.loads(self._lines.get(timeout=patience)))

    def nothing(self, seconds: float) -> None:
        with pytest.raises(queue.Empty):
            self._lines.get(timeout=seconds)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self._process.send_signal(number)
        status = self._process.wait(60)
        assert self._process.stderr is not None
        return status, self._process.stderr.read()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    started = Watching(folder_of(tmp_path))
    yield started
    started.kill()


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "dump"
    folder.mkdir(exist_ok=True)
    return folder


def write(target: Path, how: str, pause: float = 0.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(SAMPLE), str(target), how, str(pause)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["slow", "sized", "renamed"])
def test_a_dump_is_told_once_when_its_writer_is_done(
    watching: Watching, tmp_path: Path, how: str
) -> None:
    """A writer that pauses for longer than a file has to rest holds it open all the while."""
    target = tmp_path / "dump" / "guest.elf"
    writer = write(target, how, pause=4 * REST)
    writer.wait(60)
    done = time.monotonic()
    row = watching.row()
    assert row["url"] == str(target) and row["release"] == "6.1.0-56-cloud-amd64", row
    assert time.monotonic() - done < 20
    watching.nothing(3 * REST)


def test_a_writer_that_opens_it_again_and_again_is_waited_for(
    watching: Watching, tmp_path: Path
) -> None:
    """Nobody has it open and it rests, but the format says that there is more to come."""
    target = tmp_path / "dump" / "guest.elf"
    data = SAMPLE.read_bytes()
    target.write_bytes(data[: len(data) // 2])
    watching.nothing(4 * REST)
    with target.open("ab") as file:
        file.write(data[len(data) // 2 :])
    assert watching.row()["verdict"] == "needs_repair"
    watching.nothing(2 * REST)


def test_what_stays_cut_off_is_told_in_the_end(watching: Watching, tmp_path: Path) -> None:
    data = SAMPLE.read_bytes()
    (tmp_path / "dump" / "cut.elf").write_bytes(data[: len(data) // 2])
    start = time.monotonic()
    assert watching.row()["verdict"] == "damaged"
    assert time.monotonic() - start > 10 * REST
    watching.nothing(2 * REST)


def test_what_vanishes_is_survived_and_what_is_written_anew_told_again(
    watching: Watching, tmp_path: Path
) -> None:
    folder = tmp_path / "dump"
    for number in range(20):
        (folder / f"short-{number}").write_bytes(b"x")
        (folder / f"short-{number}").unlink()
    (folder / "sub").mkdir()
    (folder / "sub" / "a.elf").write_bytes(SAMPLE.read_bytes())
    assert watching.row()["url"] == str(folder / "sub" / "a.elf")
    (folder / "sub" / "a.elf").unlink()
    (folder / "sub" / "a.elf").write_bytes((SAMPLES / "ovmf-kaslr.kdump").read_bytes())
    assert watching.row()["format"] == "kdump"
    status, said = watching.end()
    assert status == 0 and "Traceback" not in said and "2 files" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_goes_on_from_its_store(tmp_path: Path, number: int) -> None:
    folder, store, page = folder_of(tmp_path), tmp_path / "db", tmp_path / "fleet.html"
    (folder / "a.elf").write_bytes(SAMPLE.read_bytes())
    first = Watching(folder, "--store", store, "-o", page)
    assert first.row()["url"] == str(folder / "a.elf")
    status, said = first.end(number)
    assert status == 0 and "Traceback" not in said and "1 files" in said
    assert "a.elf" in page.read_text()
    second = Watching(folder, "--store", store, "-o", page)
    (folder / "b.elf").write_bytes(SAMPLE.read_bytes())
    assert second.row()["url"] == str(folder / "b.elf")
    second.nothing(2 * REST)
    assert second.end(number)[0] == 0
    assert "b.elf" in page.read_text()
    with Store(str(store)) as opened:
        assert len(list(opened.rows())) == 2


HOSTILE = """x'"; touch HERE; $(touch HERE) `touch HERE`\n--{release} \\ *"""


def test_a_command_gets_each_field_as_one_argument(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    dump = folder / HOSTILE.replace("/", "")
    dump.write_bytes(SAMPLE.read_bytes())
    script = tmp_path / "note"
    noted = tmp_path / "said"
    script.write_text(
        "import json, os, sys\n"
        f"with open({str(noted)!r}, 'w') as file:\n"
        "    json.dump([sys.argv[1:], dict(os.environ)], file)\n"
        "print('on stdout'); sys.exit(7)\n"
    )
    call = (
        f"{sys.executable} {script} --name={{}} '{{verdict}} of {{release}}' {{panic}} '{{{{}}}}'"
    )
    started = Watching(folder, "--exec", call)
    row = started.row()
    for _ in range(300):
        if noted.exists() and noted.stat().st_size:
            break
        time.sleep(0.1)
    time.sleep(2)  # it has to end, and that has to be noticed
    status, said = started.end()
    assert status == 0 and "exit status 7" in said and "on stdout" in said
    words, environment = json.loads(noted.read_text())
    assert words == [f"--name={dump}", f"needs_repair of {row['release']}", "", "{}"]
    assert environment["QEMUFIX_DUMP_PATH"] == str(dump)
    assert environment["QEMUFIX_DUMP_RELEASE"] == row["release"]
    assert environment["QEMUFIX_DUMP_PANIC"] == ""
    assert json.loads(environment["QEMUFIX_DUMP_JSON"])["url"] == row["url"]
    assert not (folder / "HERE").exists() and not Path("HERE").exists()


def test_values_are_filled_in_once() -> None:
    call = Call("echo {hostname} {changes}")
    row = Row("/d", hostname="{url} {{", changes=("a", "b"))
    assert call.words(row) == ["echo", "{url} {{", "a; b"]
    assert Call("true {path}").words(Row("file:///a%FF")) == ["true", "/a\udcff"]
    assert "killed by signal 9" in Call("sh -c 'kill -9 $$'").run(row)


@pytest.mark.parametrize(
    "text", ["", "  ", "{} x", "echo {nothing}", "echo 'open", "no-such-command-here {}"]
)
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Call(text)


def arrivals(folder: Path) -> tuple[Arrivals, list[float]]:
    now = [0.0]
    return Arrivals([str(folder)], 2.0, pytest.fail, lambda: now[0]), now


def test_a_file_comes_to_rest_by_the_clock(tmp_path: Path) -> None:
    watched, now = arrivals(tmp_path)
    path = tmp_path / "d"
    path.write_bytes(b"1")
    assert watched.ready() == []
    now[0] = 1.9
    path.write_bytes(b"12")
    assert watched.ready() == []
    now[0] = 3.8
    assert watched.ready() == []
    now[0] = 3.9
    (item,) = watched.ready()
    assert item.url == str(path)
    # Cut off: again when it has changed, or after long.
    cut = Row(str(path), item.identity, verdict="damaged")
    assert not watched.settled(cut) and watched.ready() == []
    now[0] = 32.0
    assert watched.ready() == [item] and watched.settled(cut)
    now[0] = 99.0
    assert watched.ready() == []
    path.unlink()
    assert watched.ready() == [] and not watched.settled(cut)


def test_what_could_not_be_looked_at_is_not_told_again_and_again(tmp_path: Path) -> None:
    watched, now = arrivals(tmp_path)
    path = tmp_path / "d"
    path.write_bytes(b"1")
    assert watched.ready() == []
    now[0] = 3.0
    assert [item.url for item in watched.ready()] == [str(path)]
    assert watched.settled(Row(str(path), None, failure="limit"))
    now[0] = 99.0
    assert watched.ready() == []
    repaired = Row(str(path), "2 mtime 7", verdict="openable", repaired="in_place")
    watched.pass_by(repaired)
    os.utime(path, ns=(7, 7))
    path.write_bytes(b"12")
    os.utime(path, ns=(7, 7))
    assert watched.ready() == []
    now[0] = 199.0
    assert watched.ready() == []


def test_a_file_that_somebody_writes_is_left_alone(tmp_path: Path) -> None:
    watched, now = arrivals(tmp_path)
    path = tmp_path / "d"
    with path.open("wb") as file:
        file.write(b"1")
        file.flush()
        assert watched.ready() == []
        now[0] = 1000.0
        assert watched.ready() == []
    assert [item.url for item in watched.ready()] == [str(path)]


def test_wrong_words_are_usage_errors(tmp_path: Path) -> None:
    from crashext.cli import run

    for words in (
        ["--watch"],
        ["--watch", "s3://bucket/x"],
        ["--watch", str(tmp_path / "none")],
        ["--watch", str(tmp_path), "--rest", "0"],
        ["--watch", str(tmp_path), "--exec", "{}"],
        [str(tmp_path), "--exec", "echo {what}"],
    ):
        assert run(["triage", *words]) == 2, words


def test_what_comes_is_repaired_and_told_once(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    started = Watching(folder, "--repair")
    target = folder / "guest.elf"
    assert write(target, "renamed").wait(60) == 0
    row = started.row()
    assert (row["verdict"], row["repaired"]) == ("openable", "in_place")
    started.nothing(4 * REST)
    assert sorted(path.name for path in folder.iterdir()) == ["guest.elf", "guest.elf.qemufix-undo"]
    status, said = started.end()
    assert status == 0 and "Repaired: 1 in place" in said
