# SPDX-License-Identifier: GPL-3.0-or-later
"""Repair in place while each of its writes and syncs goes wrong: nothing is ever lost.

On a filesystem of its own. After every fault the file is the old dump or the new one with its
journal, ``--undo`` gives back the old one bit for bit, and another repair, without undoing, gives
the new one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from .disk import fill, small_disk
from .faulty import KINDS, Ended, Faulty

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
VMLINUX = SAMPLES / json.loads((SAMPLES / "ovmf-kaslr.json").read_text())["vmlinux"]
SUFFIX = ".qemufix-undo"
SUFFIXES = ("kdump", "elf", "flat")
#: How the process ends with all that it does: killed, or with the machine. "holed" is a disk that
#: wrote what was not synced, but for the first of it.
ENDS = ("kill", "torn", "lost", "holed")
#: These in each format; what else can go wrong in the one whose repair takes most writes.
FAULTS = [(s, kind) for s in SUFFIXES for kind in KINDS if s == "flat" or kind in ENDS]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk(tmp_path_factory.mktemp("disk")) as place:
        yield place


@pytest.fixture(scope="module")
def faulty(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    library = tmp_path_factory.mktemp("fault") / "fault.so"
    source = Path(__file__).with_name("fault.c")
    command: list[str | Path] = ["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True)
    with Faulty(library, disk) as server:
        yield server


class Kept(NamedTuple):
    """A file as it was: bytes and time of change."""

    data: bytes
    mtime_ns: int


class Place:
    """A dump on the disk with its journal, taken down and put there again."""

    def __init__(self, dump: Path) -> None:
        self.dump, self.journal = dump, dump.with_name(dump.name + SUFFIX)

    def now(self) -> dict[Path, Kept]:
        return {
            path: Kept(path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(self.dump.parent.glob(self.dump.name + "*"))
        }

    def put(self, files: dict[Path, Kept]) -> None:
        for path in self.dump.parent.glob(self.dump.name + "*"):
            path.unlink()
        for path, kept in files.items():
            path.write_bytes(kept.data)
            path.chmod(0o600)
            os.utime(path, ns=(kept.mtime_ns, kept.mtime_ns))


class Course(NamedTuple):
    """One dump before and after its repair, and how many calls each way takes."""

    place: Place
    old: dict[Path, Kept]
    new: dict[Path, Kept]
    repair_calls: int
    undo_calls: int

    @property
    def before(self) -> bytes:
        return self.old[self.place.dump].data

    @property
    def after(self) -> bytes:
        return self.new[self.place.dump].data


@pytest.fixture
def course(suffix: str, disk: Path, faulty: Faulty) -> Iterator[Course]:
    dump = disk / f"guest.{suffix}"
    shutil.copyfile(SAMPLES / f"ovmf-kaslr.{suffix}", dump)
    place = Place(dump)
    old = place.now()
    repaired = repair(faulty, dump)
    assert repaired.status == 0, repaired.err
    new = place.now()
    assert set(new) == {dump, place.journal} and new[dump].data != old[dump].data
    undone = faulty.run("repair", dump, "--undo")
    assert undone.status == 0, undone.err
    assert place.now() == old
    yield Course(place, old, new, repaired.calls, undone.calls)
    place.put({})


def repair(faulty: Faulty, dump: Path, at: int = 0, kind: str = "kill") -> Ended:
    return faulty.run("repair", dump, "--in-place", "--vmlinux", VMLINUX, at=at, kind=kind)


def undo(faulty: Faulty, dump: Path, at: int = 0, kind: str = "kill") -> Ended:
    return faulty.run("repair", dump, "--undo", at=at, kind=kind)


def assert_said(ended: Ended, kind: str) -> None:
    """A fault kills, is said in one line, or did no harm."""
    if kind in ENDS:
        assert ended.status == -9
    elif ended.status:
        assert ended.status in (1, 3), ended
        assert ended.err.startswith("qemufix: ") and ended.err.count("\n") == 1, ended
    assert "Traceback" not in ended.err


def assert_old_or_new(course: Course, kind: str) -> None:
    """The old dump's bytes (what lies behind its end does not count), or the new one's."""
    place = course.place
    now = place.dump.read_bytes()
    has_journal = place.journal.exists()
    if now == course.before:
        return
    assert has_journal, "the dump has changed, and there is no journal"
    if kind in ("kill", "short", "eio", "full"):
        assert now == course.after or now[: len(course.before)] == course.before


def assert_comes_back(course: Course, faulty: Faulty, *, redo: bool) -> None:
    """The files as they are, undone, are the old ones; ``redo``: repaired, they are the new."""
    place = course.place
    left = place.now()
    if left == course.old:
        return
    done = undo(faulty, place.dump)
    assert done.status == 0, done
    assert place.now()[place.dump] == course.old[place.dump]
    assert not place.journal.exists()
    if not redo:
        return
    place.put(left)
    done = repair(faulty, place.dump)
    assert done.status == 0, done
    assert place.dump.read_bytes() == course.after
    done = undo(faulty, place.dump)
    assert done.status == 0, done
    assert place.now() == course.old


@pytest.mark.parametrize(("suffix", "kind"), FAULTS)
def test_a_fault_at_any_moment_of_a_repair(course: Course, faulty: Faulty, kind: str) -> None:
    assert course.repair_calls >= 8
    for at in range(1, course.repair_calls + 1):
        course.place.put(course.old)
        ended = repair(faulty, course.place.dump, at, kind)
        assert_said(ended, kind)
        assert_old_or_new(course, kind)
        if ended.status == 0:
            assert course.place.dump.read_bytes() == course.after
        assert_comes_back(course, faulty, redo=kind == "kill")


@pytest.mark.parametrize(("suffix", "kind"), FAULTS)
def test_a_fault_at_any_moment_of_undoing(course: Course, faulty: Faulty, kind: str) -> None:
    assert course.undo_calls >= 5
    for at in range(1, course.undo_calls + 1):
        course.place.put(course.new)
        ended = undo(faulty, course.place.dump, at, kind)
        assert_said(ended, kind)
        now = course.place.dump.read_bytes()
        assert course.place.journal.exists() or now == course.before
        assert_comes_back(course, faulty, redo=kind == "kill")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("left", [0, 4096, 16384, 65536])
def test_a_full_disk(course: Course, disk: Path, faulty: Faulty, left: int) -> None:
    """Not even begun, or done."""
    try:
        fill(disk, left)
        ended = repair(faulty, course.place.dump)
        now = course.place.dump.read_bytes()
        if ended.status:
            assert ended.status == 3 and ended.err.count("\n") == 1, ended
            assert now == course.before and not course.place.journal.exists()
        else:
            assert now == course.after
        assert ended.status or left
        assert_comes_back_or_stays(course, faulty)
    finally:
        (disk / "filler").unlink()


def assert_comes_back_or_stays(course: Course, faulty: Faulty) -> None:
    """A full disk does not keep a repair from being undone."""
    if course.place.journal.exists():
        done = undo(faulty, course.place.dump)
        assert done.status == 0, done
    assert course.place.dump.read_bytes() == course.before
