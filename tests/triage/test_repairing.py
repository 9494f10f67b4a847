# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairs of a fleet: in place and back, beside, into a folder, into another store; refusals."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from crashext.cli import run as command
from crashext.triage.limits import Limits
from crashext.triage.places.find import find
from crashext.triage.repairing import Repairing
from crashext.triage.row import Row
from crashext.triage.steps import Steps
from crashext.triage.work import row_of

from .server import serving

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_dumps"
GOOD = ("panicked.flat", "ovmf-kaslr.elf", "ovmf-kaslr.kdump", "arm64-direct.elf",
        "s390x-panicked.flat", "ppc64le-radix.elf")  # fmt: skip


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    folder = tmp_path / "fleet"
    folder.mkdir()
    for name in (*GOOD, "reset-vector.flat"):
        shutil.copyfile(SAMPLES / name, folder / name)
    whole = (SAMPLES / "ovmf-kaslr.kdump").read_bytes()
    (folder / "cut.kdump").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no dump\n" * 100)
    return folder


def triage(*words: object) -> tuple[int, dict[str, dict[str, Any]], str]:
    out, err = io.StringIO(), io.StringIO()
    status = command(["triage", "--json", *map(str, words)], out=out, err=err)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    return status, {Path(row["url"]).name: row for row in rows}, err.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_fleet_is_repaired_in_place_and_back(fleet: Path, tmp_path: Path) -> None:
    before = contents(fleet)
    status, rows, said = triage(fleet, "--repair", "-s", tmp_path / "db")
    assert status == 1, "cut.kdump"
    for name in GOOD:
        row = rows[name]
        assert (row["verdict"], row["repaired"]) == ("openable", "in_place"), row
        assert row["repaired_to"] == str(fleet / name) and "VMCOREINFO" in row["repair_note"]
        assert row_of(str(fleet / name)).verdict == "openable"
    for name in ("cut.kdump", "reset-vector.flat"):
        assert rows[name]["repaired"] == "refused" and rows[name]["repair_note"], rows[name]
        assert (fleet / name).read_bytes() == before[name]
    assert rows["notes.txt"]["repaired"] is None
    assert "6 in place" in said and "2 refused" in said
    # The journals are no dumps, and what is done is not done again.
    after = contents(fleet)
    _, again, said = triage(fleet, "--repair", "-s", tmp_path / "db")
    assert again == rows and contents(fleet) == after and "9 of them known" in said
    for name in GOOD:
        assert command(["repair", "--undo", str(fleet / name)], out=io.StringIO()) == 0
    assert contents(fleet) == before


def test_what_is_right_needs_no_repair(fleet: Path) -> None:
    one = fleet / "ovmf-kaslr.elf"
    triage(one, "--repair")
    after = contents(fleet)
    _, rows, _ = triage(one, "--repair")
    assert rows[one.name]["repaired"] == "not_needed" and contents(fleet) == after


def test_what_must_not_be_changed_is_refused_and_the_rest_goes_on(fleet: Path) -> None:
    names = GOOD[:4]
    (fleet / names[0]).chmod(0o444)
    os.link(fleet / names[1], fleet / "other-name")
    with (fleet / names[2]).open("r+b"):
        _, rows, _ = triage(fleet, "--repair", "-j2")
    for name, why in zip(names, ("read-only", "hard links", "open for writing"), strict=False):
        row = rows[name]
        assert (row["verdict"], row["repaired"]) == ("needs_repair", "refused"), row
        assert why in row["repair_note"]
        assert (fleet / name).read_bytes() == (SAMPLES / name).read_bytes()
    assert rows[names[3]]["repaired"] == "in_place"


def test_a_refusal_that_may_pass_is_tried_again(fleet: Path, tmp_path: Path) -> None:
    one = fleet / "ovmf-kaslr.elf"
    with one.open("r+b"):
        _, rows, _ = triage(one, "--repair", "-s", tmp_path / "db")
    assert rows[one.name]["repaired"] == "refused"
    _, rows, _ = triage(one, "--repair", "-s", tmp_path / "db")
    assert rows[one.name]["repaired"] == "in_place"


def test_a_store_from_before_is_repaired_from(fleet: Path, tmp_path: Path) -> None:
    triage(fleet, "-s", tmp_path / "db")
    _, rows, _ = triage(fleet, "--repair", "-s", tmp_path / "db")
    assert {rows[name]["repaired"] for name in GOOD} == {"in_place"}


def test_repaired_dumps_go_into_a_folder_and_none_is_changed(fleet: Path, tmp_path: Path) -> None:
    before, to = contents(fleet), tmp_path / "new" / "folder"
    _, rows, _ = triage(fleet, "--repair-to", to)
    assert contents(fleet) == before and len(list(to.iterdir())) == len(GOOD)
    for name in GOOD:
        row = rows[name]
        assert (row["verdict"], row["repaired"]) == ("needs_repair", "beside")
        made = Path(row["repaired_to"])
        assert made.parent == to and row_of(str(made)).verdict == "openable"
    times = {path: path.stat().st_mtime_ns for path in to.iterdir()}
    _, again, _ = triage(fleet, "--repair-to", to)
    assert {path: path.stat().st_mtime_ns for path in to.iterdir()} == times
    assert again[GOOD[0]]["repaired"] == "beside"
    # In a folder they are passed by, as the journals are; by name they can be looked at.
    assert [item.url for item in find([str(to)], pytest.fail)] == []


def test_what_has_no_place_for_it_is_written_beside(tmp_path: Path) -> None:
    packed = tmp_path / "guest.elf.gz"
    packed.write_bytes(gzip.compress((SAMPLES / "ovmf-kaslr.elf").read_bytes()))
    before = packed.read_bytes()
    _, rows, _ = triage(packed, "--repair")
    row = rows[packed.name]
    assert row["repaired"] == "beside" and packed.read_bytes() == before
    assert row_of(row["repaired_to"]).verdict == "openable"


def test_a_repair_that_was_cut_short_is_undone_first(fleet: Path) -> None:
    one = fleet / "ovmf-kaslr.elf"
    triage(one, "--repair")
    journal = fleet / f"{one.name}.qemufix-undo"
    journal.write_text(journal.read_text().replace("done\n", ""))
    _, rows, _ = triage(one, "--repair")
    assert rows[one.name]["repaired"] == "in_place"
    assert command(["repair", "--undo", str(one)], out=io.StringIO()) == 0
    assert one.read_bytes() == (SAMPLES / one.name).read_bytes()


def test_a_store_that_is_no_file_system_gets_a_file_beside(fleet: Path) -> None:
    """fsspec's own name for local files is a URL like any other."""
    before = contents(fleet)
    _, rows, _ = triage(
        f"local://{fleet}/ovmf-kaslr.*", f"local://{fleet}/panicked.flat", "--repair"
    )
    for name in ("ovmf-kaslr.elf", "ovmf-kaslr.kdump", "panicked.flat"):
        row = rows[name]
        assert row["repaired"] == "beside", row
        assert row["repaired_to"].startswith("local://")
        assert row_of(row["repaired_to"].removeprefix("local://")).verdict == "openable"
    assert {name: data for name, data in contents(fleet).items() if name in before} == before


def test_local_dumps_are_written_into_another_store(fleet: Path, tmp_path: Path) -> None:
    to = tmp_path / "bucket"
    to.mkdir()
    _, rows, _ = triage(fleet / "ovmf-kaslr.elf", "--repair-to", f"local://{to}")
    assert rows["ovmf-kaslr.elf"]["repaired"] == "beside"
    (made,) = to.iterdir()
    assert row_of(str(made)).verdict == "openable"


def test_a_store_that_takes_no_files_is_a_refusal(fleet: Path) -> None:
    with serving(fleet) as (base, _):
        _, rows, _ = triage(f"{base}/ovmf-kaslr.elf", "--repair")
    row = rows["ovmf-kaslr.elf"]
    assert (row["verdict"], row["repaired"]) == ("needs_repair", "refused") and row["repair_note"]


def test_a_disk_without_room_leaves_nothing_behind(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr("crashext.repair.write.copying.copy_file", full)
    monkeypatch.setattr("crashext.repair.new_file.copy_file", full)
    steps = Steps(Limits(), None, Repairing(str(tmp_path / "to")))
    row = steps(str(fleet / "ovmf-kaslr.elf"))
    assert row.repaired == "refused" and "No space left" in row.repair_note
    assert list((tmp_path / "to").iterdir()) == []
    in_place = Steps(Limits(), None, Repairing())(str(fleet / "ovmf-kaslr.elf"))
    assert in_place.repaired == "refused" and "No space left" in in_place.repair_note


def test_another_content_has_another_name() -> None:
    repairing, row = Repairing("/to"), Row("s3://b/guest.elf", "1")
    assert repairing.target(row).startswith("/to/guest.elf.")
    assert repairing.target(row) != repairing.target(row._replace(identity="2"))
    assert Repairing().target(row).startswith("s3://b/guest.elf.")


def test_a_file_in_place_of_the_folder_is_a_usage_error(fleet: Path) -> None:
    assert triage(fleet, "--repair-to", fleet / "notes.txt")[0] == 2


@pytest.mark.lab
def test_lab_dumps_are_repaired(tmp_path: Path) -> None:
    for name in ("panicked.kdump", "arm64-panicked.kdump", "ovmf-vmcoreinfo.kdump"):
        shutil.copyfile(ROOT / "lab" / "dumps" / name, tmp_path / name)
    _, rows, _ = triage(tmp_path, "--repair")
    assert {name: row["verdict"] for name, row in rows.items()} == dict.fromkeys(rows, "openable")
    assert rows["panicked.kdump"]["panic_function"] == "sysrq_handle_crash"
    assert rows["panicked.kdump"]["repaired"] == "in_place"
