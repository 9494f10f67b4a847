# SPDX-License-Identifier: GPL-3.0-or-later
"""A small fleet in a real object store: over S3 each row is that of the file, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crashext.triage.row import Row
from crashext.triage.work import row_of
from lab.fleet import compare, facts, fill, known, make, samples, triage
from lab.object_store import ObjectStore, object_store

pytest.importorskip("s3fs")
WHOLE = ("arm64-direct.elf", "mapped-ram.qevm.zst", "ovmf-kaslr.kdump", "panicked.flat",
         "ppc64le-radix.elf", "s390x-panicked.flat")  # fmt: skip
SPOILT = ("ovmf-kaslr.kdump", "s390x-panicked.flat", "arm64-direct.elf")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("store"), workers=1) as store:
        store.be_known()
        yield store


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    chosen = {path.name: path for path in samples()}
    make(folder, [chosen[name] for name in WHOLE], [chosen[name] for name in SPOILT], 4)
    return folder


def test_a_fleet_in_an_object_store(store: ObjectStore, originals: Path, tmp_path: Path) -> None:
    alone = {path.name: row_of(str(path)) for path in originals.iterdir()}
    put = fill("fleet", originals, 1)
    assert len(put) == 2 * len(alone) == 78
    words = ["s3://fleet/", "--store", str(tmp_path / "rows"), "-j", "2"]
    outcome = triage(store, words, kill_after=20)
    assert compare(outcome, put, alone) == []
    assert (outcome.status, outcome.killed, len(outcome.rows)) == (1, 1, len(put))
    assert f"{len(put)} files" in outcome.said and "requests" in outcome.said
    assert {"needs_repair", "damaged", "failed", "not_a_dump"} <= {
        r.verdict for r in alone.values()
    }
    again = triage(store, words)
    assert f"{known(outcome)} of them known already" in again.said
    assert known(outcome) >= 60 and compare(again, put, alone) == []


def test_a_comparison_tells_what_is_wrong() -> None:
    from lab.fleet import Outcome

    alone = {"a": Row("/a", verdict="openable"), "b": Row("/b")}
    put = {"s3://a": "a", "s3://b": "b", "s3://c": "a"}
    rows = [Row("s3://a", verdict="damaged"), Row("s3://b"), Row("s3://b")]
    assert compare(Outcome(rows, "", 0, 0), put, alone) == [
        "s3://c: no row",
        "s3://b: 2 rows",
        "s3://a: verdict is 'damaged', alone 'openable'",
    ]


def test_what_an_object_cost_is_counted(store: ObjectStore, originals: Path) -> None:
    import s3fs

    s3fs.S3FileSystem().mkdir("single")
    s3fs.S3FileSystem().put_file(str(originals / "sample_dumps-ovmf-kaslr.kdump"), "single/a.kdump")
    row = row_of("s3://single/a.kdump")
    assert facts(row) == facts(row_of(str(originals / "sample_dumps-ovmf-kaslr.kdump")))
    assert row.identity and "ETag" in row.identity
    # One block holds all of it; its size was asked for before and after.
    assert (row.bytes_read, row.requests) == (row.size, 3)


def test_an_object_that_changes_under_way_gives_no_facts(
    store: ObjectStore, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    from crashext.triage import work

    fs = s3fs.S3FileSystem()
    fs.mkdir("changing")
    fs.put_file(str(originals / "sample_dumps-ovmf-kaslr.kdump"), "changing/a")
    told = work._told

    def meanwhile(source: object) -> dict[str, object]:
        fs.put_file(str(originals / "sample_dumps-panicked.flat"), "changing/a")
        return told(source)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "_told", meanwhile)
    row = work.examine("s3://changing/a")
    assert (row.verdict, row.failure, row.release) == ("failed", "changed", None)


def test_a_key_that_is_refused_is_said(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of("s3://nothing/here")
    assert row.failure == "unreadable" and row.reason
