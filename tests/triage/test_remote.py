# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps on a web server that misbehaves: retried or said, never a wrong row."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.fleet import widen_kdump
from crashext.budget import Budget
from crashext.errors import OverBudget, UnreadableDump
from crashext.triage.limits import Limits
from crashext.triage.places import remote
from crashext.triage.places.find import find
from crashext.triage.places.meter import Meter
from crashext.triage.places.remote import RemoteFile, identity_of
from crashext.triage.work import examine, row_of

from .runs import facts
from .server import Faults, serving

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

ROOT = Path(__file__).parents[2]
SAMPLES, DUMPS = ROOT / "sample_dumps", ROOT / "lab" / "dumps"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Faults, Path]]:
    monkeypatch.setattr(remote, "_PAUSE", 0.001)
    for name in ("ovmf-kaslr.elf", "ovmf-kaslr.kdump", "panicked.flat"):
        shutil.copy(SAMPLES / name, tmp_path)
    with serving(tmp_path) as (url, faults):
        yield url, faults, tmp_path


@pytest.mark.parametrize("name", ["ovmf-kaslr.elf", "ovmf-kaslr.kdump", "panicked.flat"])
def test_a_remote_dump_s_row_is_that_of_the_local_one(
    web: tuple[str, Faults, Path], name: str
) -> None:
    url, faults, folder = web
    row = row_of(f"{url}/{name}")
    assert facts(row) == facts(row_of(str(folder / name)))
    assert row.bytes_read == faults.sent > 0
    assert row.requests == sum(faults.seen.values())


def test_short_slow_and_failing_answers_change_nothing(web: tuple[str, Faults, Path]) -> None:
    url, faults, folder = web
    right = facts(row_of(str(folder / "ovmf-kaslr.elf")))
    faults.short = 30_000
    faults.delay = 0.01
    faults.errors = 2
    row = row_of(f"{url}/ovmf-kaslr.elf")
    assert facts(row) == right
    assert faults.errors == 0 and faults.seen["GET"] >= 10


def test_a_server_that_only_fails_is_said_after_a_bounded_number_of_tries(
    web: tuple[str, Faults, Path],
) -> None:
    url, faults, _ = web
    faults.errors = 10_000
    row = row_of(f"{url}/ovmf-kaslr.elf", Limits(tries=3))
    assert (row.verdict, row.failure) == ("failed", "unreadable"), row
    assert sum(faults.seen.values()) <= 2 * 3  # fsspec asks in two ways for a size


def test_a_slow_server_is_given_up(web: tuple[str, Faults, Path]) -> None:
    url, faults, _ = web
    faults.delay = 60.0
    start = time.monotonic()
    row = row_of(f"{url}/ovmf-kaslr.elf", Limits(seconds=1))
    assert row.failure == "limit" and time.monotonic() - start < 30


@pytest.mark.parametrize("after", [2, 3])
def test_a_file_that_changes_under_way_gives_no_facts(
    web: tuple[str, Faults, Path], monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    url, faults, folder = web
    path = folder / "ovmf-kaslr.elf"
    monkeypatch.setattr(remote, "_BLOCK", 1 << 14)

    def change() -> None:
        path.write_bytes((SAMPLES / "ovmf-la57.elf").read_bytes()[: path.stat().st_size])
        os.utime(path, ns=(1, 1))

    faults.change, faults.change_after = change, after
    row = examine(f"{url}/ovmf-kaslr.elf")
    assert (row.verdict, row.failure) == ("failed", "changed"), row
    assert row.release is None and row.phys_base is None


def test_a_server_without_ranges_is_refused(web: tuple[str, Faults, Path]) -> None:
    url, faults, _ = web
    faults.no_ranges = True
    row = examine(f"{url}/ovmf-kaslr.elf")
    assert row.failure == "unreadable" and "ranges" in row.reason


def test_what_may_be_read_is_limited(web: tuple[str, Faults, Path]) -> None:
    url, faults, _ = web
    row = row_of(f"{url}/ovmf-kaslr.elf", Limits(read=140_000))
    assert row.failure == "limit" and "--max-read" in row.reason
    assert faults.sent <= 140_000


def test_a_missing_file_is_asked_for_once_or_twice(web: tuple[str, Faults, Path]) -> None:
    url, faults, _ = web
    row = row_of(f"{url}/none")
    assert row.failure == "unreadable" and sum(faults.seen.values()) <= 2


def test_reads_anywhere_are_those_of_the_file(web: tuple[str, Faults, Path]) -> None:
    import random

    url, faults, folder = web
    data = (folder / "ovmf-kaslr.elf").read_bytes()
    faults.short = 50_000
    chance = random.Random(4)
    source = RemoteFile(f"{url}/ovmf-kaslr.elf", Budget(), Meter(), Limits())
    assert source.size == len(data)
    for _ in range(200):
        at, size = chance.randrange(len(data) + 5000), chance.randrange(200_000)
        assert source.pread(at, size) == data[at : at + size]
    assert source.pread(-1, 5) == b"" == source.pread(0, 0)


def test_blocks_kept_are_bounded(
    web: tuple[str, Faults, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_BLOCK", 1 << 12)
    monkeypatch.setattr(remote, "_KEPT", 8)
    url, _, folder = web
    data = (folder / "ovmf-kaslr.elf").read_bytes()
    source = RemoteFile(f"{url}/ovmf-kaslr.elf", Budget(), Meter(), Limits())
    assert source.pread(0, len(data)) == data
    assert len(source._blocks) <= 8
    assert source.pread(5, 100_000) == data[5:100_005]


def test_a_file_cut_off_under_way_is_no_endless_loop(web: tuple[str, Faults, Path]) -> None:
    url, _, folder = web
    source = RemoteFile(f"{url}/ovmf-kaslr.elf", Budget(), Meter(), replace(Limits(), tries=2))
    os.truncate(folder / "ovmf-kaslr.elf", 1000)
    with pytest.raises(UnreadableDump):
        source.pread(200_000, 10)
    assert source.changed()


def test_over_budget_is_an_error_of_its_own(web: tuple[str, Faults, Path]) -> None:
    url, _, _ = web
    source = RemoteFile(f"{url}/ovmf-kaslr.elf", Budget(), Meter(), Limits(read=10))
    with pytest.raises(OverBudget):
        source.pread(0, 100)


def test_what_fsspec_calls_the_mark_of_a_content() -> None:
    assert identity_of({"size": 5, "ETag": '"a"', "mtime": 3}) == '5 ETag "a"'
    assert identity_of({"size": 5, "mtime": 3.5}) == "5 mtime 3.5"
    assert identity_of({"size": 5}) == "5 unmarked"
    assert identity_of({"ETag": "a"}) is None


def test_a_url_is_found_with_its_identity(web: tuple[str, Faults, Path]) -> None:
    url, _, _ = web
    said: list[str] = []
    (item,) = find([f"{url}/ovmf-kaslr.elf"], said.append)
    assert item.url == f"{url}/ovmf-kaslr.elf" and not said
    assert item.identity == row_of(item.url).identity


def test_a_scheme_that_nobody_knows_is_told() -> None:
    said: list[str] = []
    (item,) = find(["nonsense://a/b"], said.append)
    assert item.identity is None and "nonsense" in said[0]
    assert row_of(item.url).failure == "unreadable"


def test_without_fsspec_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    row = examine("http://localhost/a")
    assert row.failure == "unreadable" and "qemufix[fleet]" in row.reason


def test_folders_and_patterns_of_a_file_system_are_gone_through(tmp_path: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    files = MemoryFileSystem()
    for name in ("/fleet/a.elf", "/fleet/sub/b.elf", "/fleet/c.txt"):
        files.pipe_file(name, b"x")
    assert {i.url for i in find(["memory://fleet"], print)} == {
        "memory://fleet/a.elf", "memory://fleet/sub/b.elf", "memory://fleet/c.txt",
    }  # fmt: skip
    assert [i.url for i in find(["memory://fleet/*.elf"], print)] == ["memory://fleet/a.elf"]


@pytest.mark.lab
@pytest.mark.parametrize(
    ("name", "most", "requests"),
    [("panicked.kdump", 8, 40), ("panicked.elf", 16, 50), ("ram-64g.kdump", 14, 50)],
)
def test_a_few_ranges_of_a_whole_dump_are_read(name: str, most: int, requests: int) -> None:
    if not (DUMPS / name).exists():
        pytest.skip(f"no {name}")
    with serving(DUMPS) as (url, faults):
        row = row_of(f"{url}/{name}")
    assert row.verdict == "needs_repair" and row.confidence == "certain"
    assert faults.sent == row.bytes_read <= most << 20, row
    assert row.requests <= requests, row


@pytest.mark.lab
def test_a_terabyte_costs_little_more_than_half_a_gigabyte(tmp_path: Path) -> None:
    """Of bitmaps of 64 MiB a few parts are read; the row is that of one who read them whole."""
    name = "panicked.kdump"
    shutil.copy(DUMPS / name, tmp_path)
    widen_kdump(DUMPS / name, tmp_path / "tib.kdump")
    with serving(tmp_path) as (url, _):
        large, small = row_of(f"{url}/tib.kdump"), row_of(f"{url}/{name}")
    assert large.verdict == "needs_repair" and large.confidence == "certain"
    assert facts(large) == facts(row_of(str(tmp_path / "tib.kdump")))
    assert large.bytes_read <= small.bytes_read + (8 << 20)


@pytest.mark.lab
@pytest.mark.parametrize("name", ["arm64-direct", "arm64-uefi", "arm64-nokaslr", "arm64-user"])
def test_a_guest_whose_notes_name_no_tables_is_not_searched_as_a_whole(name: str) -> None:
    """All of its 512 MiB are more than is allowed.

    What lies where in a guest that UEFI moved is chance: there the row alone has to be right.
    """
    dump, by_chance = DUMPS / f"{name}.elf", "uefi" in name
    if not dump.exists():
        pytest.skip(f"no {dump.name}")
    with serving(DUMPS) as (url, _):
        row = row_of(f"{url}/{dump.name}", Limits(read=1 << 30) if by_chance else Limits())
    assert facts(row) == facts(row_of(str(dump)))
    assert row.confidence == "strong" and (by_chance or row.bytes_read <= 96 << 20), row


def _memory_fleet() -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    for name in ("/deep/a.elf", "/deep/x/b.elf", "/deep/x/y/c.elf", "/deep/z/d.elf"):
        MemoryFileSystem().pipe_file(name, b"x")


def test_a_listing_that_fails_once_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    _memory_fleet()
    monkeypatch.setattr(remote, "_PAUSE", 0.001)
    ls, failed = MemoryFileSystem.ls, set[str]()

    def once(self: MemoryFileSystem, path: str, **how: object) -> object:
        if path not in failed:
            failed.add(path)
            raise ConnectionResetError("dropped")
        return ls(self, path, **how)

    monkeypatch.setattr(MemoryFileSystem, "ls", once)
    said: list[str] = []
    found = [item.url for item in find(["memory://deep"], said.append)]
    names = ("a.elf", "x/b.elf", "x/y/c.elf", "z/d.elf")
    assert found == [f"memory://deep/{name}" for name in names]
    assert said == [] and len(failed) == 4


def test_a_folder_that_can_t_be_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    _memory_fleet()
    ls = MemoryFileSystem.ls

    def closed(self: MemoryFileSystem, path: str, **how: object) -> object:
        if path.rstrip("/").endswith("/x"):
            raise PermissionError("not yours")
        return ls(self, path, **how)

    monkeypatch.setattr(MemoryFileSystem, "ls", closed)
    said: list[str] = []
    found = [item.url for item in find(["memory://deep"], said.append)]
    assert found == ["memory://deep/a.elf", "memory://deep/z/d.elf"]
    assert len(said) == 1 and "/deep/x: can't be looked into: not yours" in said[0]
