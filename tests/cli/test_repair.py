# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix repair`` and ``qemufix vmcoreinfo`` as a user meets them: whole processes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crashext.dumps import open_dump
from crashext.text import signed64
from tests.cli.test_cli import SAMPLES, one_line, qemufix
from tests.repair.conftest import memory

DUMPS = ["ovmf-kaslr.elf", "ovmf-kaslr.kdump", "ovmf-kaslr.flat"]
FIELDS = ["schema", "path", "output", "in_place", "changed", "changes", "journal",
          "bytes_written", "kernel", "warnings"]  # fmt: skip


@pytest.fixture(params=DUMPS)
def dump(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a sample."""
    return Path(shutil.copy(SAMPLES / request.param, tmp_path / request.param))


def answered(*args: object, status: int = 0) -> dict[str, Any]:
    done = qemufix("repair", "--json", *args)
    assert (done.returncode, done.stderr) == (status, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    assert set(FIELDS) <= set(answer)
    assert answer["schema"] == 1
    assert all(set(change) == {"what", "from", "to", "why"} for change in answer["changes"])
    return answer


def test_in_place_and_back(dump: Path) -> None:
    before = dump.read_bytes()
    answer = answered(dump, "--in-place")
    journal = dump.with_name(dump.name + ".qemufix-undo")
    assert (answer["path"], answer["output"], answer["in_place"]) == (str(dump), str(dump), True)
    assert (answer["changed"], answer["journal"]) == (True, str(journal))
    assert 0 < answer["bytes_written"] < 1 << 17
    assert answer["changes"][0]["what"] == "VMCOREINFO"
    kernels = json.loads(qemufix("physbase", "--json", dump).stdout)["kernels"]
    assert answer["kernel"]["id"] in [kernel["id"] for kernel in kernels]
    with open_dump(dump) as mended:
        assert mended.vmcoreinfo is not None

    again = answered(dump, "--in-place")
    assert (again["changed"], again["changes"], again["bytes_written"]) == (False, [], 0)

    undone = answered(dump, "--undo")
    assert (undone["changed"], undone["journal"]) == (True, None)
    assert dump.read_bytes() == before
    assert not journal.exists()
    nothing = answered(dump, "--undo")
    assert nothing["changed"] is False


def test_dry_run_touches_nothing(dump: Path) -> None:
    before, facts = dump.read_bytes(), dump.stat()
    answer = answered(dump, "--dry-run")
    assert answer["changes"]
    assert (answer["changed"], answer["output"], answer["bytes_written"]) == (False, None, 0)
    assert answered(dump, "--in-place", "--dry-run")["changes"] == answer["changes"]
    assert (dump.read_bytes(), dump.stat().st_mtime_ns) == (before, facts.st_mtime_ns)
    assert list(dump.parent.iterdir()) == [dump]


def test_into_a_new_file(dump: Path) -> None:
    before, new = dump.read_bytes(), dump.with_name("new")
    answer = answered(dump, "-o", new)
    assert (answer["output"], answer["in_place"], answer["journal"]) == (str(new), False, None)
    assert answer["changed"] is True
    assert dump.read_bytes() == before
    assert {path.name for path in dump.parent.iterdir()} == {dump.name, "new"}
    assert answered(new, "--dry-run")["changes"] == []
    with open_dump(new) as written:
        assert not written.flattened


@pytest.mark.parametrize("to", ["elf", "kdump"])
def test_into_another_format(dump: Path, to: str) -> None:
    new = dump.with_name("new")
    answered(dump, "-o", new, "--to", to)
    assert answered(new, "--dry-run")["changes"] == []
    with open_dump(new) as written:
        assert written.format == to


def test_to_stdout(dump: Path) -> None:
    command = [sys.executable, "-m", "crashext", "repair", str(dump), "-o", "-", "--to", "kdump"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.startswith(b"makedumpfile\0")
    assert b"repaired into" in done.stderr
    new = dump.with_name("new.flat")
    new.write_bytes(done.stdout)
    assert answered(new, "--dry-run")["changes"] == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "where to?"),
        (["--in-place", "-o", "x"], "one of"),
        (["--undo", "--dry-run"], "--undo takes"),
        (["--in-place", "--to", "elf"], "go with -o"),
        (["-o", "x", "--to", "elf", "--compress", "zstd"], "not compressed"),
        (["--in-place", "--kernel", "nonsense"], "--kernel takes"),
    ],
)
def test_wrong_usage(args: list[str], words: str) -> None:
    done = qemufix("repair", SAMPLES / DUMPS[0], *args)
    assert done.returncode == 2
    assert words in one_line(done.stderr)


def test_no_kernel(tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLES / "reset-firmware.flat", tmp_path))
    before = dump.read_bytes()
    for way in (["--in-place"], ["-o", tmp_path / "new"], ["--in-place", "--force"]):
        answer = answered(dump, *way, status=1)
        assert (answer["changed"], answer["kernel"]) == (False, None)
        assert "no vCPU runs in a kernel" in answer["reason"]
    assert dump.read_bytes() == before
    assert list(tmp_path.iterdir()) == [dump]


def test_a_stale_kernel_takes_force(tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLES / "reset-booted.flat", tmp_path))
    kernels = json.loads(qemufix("physbase", "--json", "--all", dump).stdout)["kernels"]
    stale = [kernel["id"] for kernel in kernels if kernel["state"] == "stale"]
    for kernel in stale:
        assert answered(dump, "--in-place", "--kernel", kernel, status=1)["changed"] is False


def test_what_is_not_changed_in_place(tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLES / "ovmf-kaslr.kdump", tmp_path))
    before = dump.read_bytes()

    def refused(path: Path, words: str) -> None:
        done = qemufix("repair", path, "--in-place")
        assert (done.returncode, done.stdout) == (3, "")
        *told, problem = done.stderr.splitlines(keepends=True)
        assert words in one_line(problem)
        assert [line for line in told if "unpacked into the cache" not in line] == []
        assert dump.read_bytes() == before

    dump.chmod(0o444)
    refused(dump, "is read-only")
    dump.chmod(0o644)
    other = tmp_path / "other"
    os.link(dump, other)
    refused(dump, "2 names")
    other.unlink()
    with dump.open("r+b"):
        refused(dump, "open for writing elsewhere")
    packed = tmp_path / "dump.gz"
    packed.write_bytes(gzip.compress(before, 1))
    refused(packed, "compressed as a whole")
    refused(tmp_path / "missing", "can't open")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump.gz", "ovmf-kaslr.kdump"]


def test_a_link_leads_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    dump = Path(shutil.copy(SAMPLES / "ovmf-kaslr.kdump", tmp_path / "there"))
    before, link = dump.read_bytes(), tmp_path / "link"
    link.symlink_to(dump)
    answer = answered(link, "--in-place")
    assert answer["journal"] == str(dump) + ".qemufix-undo"
    assert dump.read_bytes() != before
    assert answered(link, "--undo")["changed"]
    assert dump.read_bytes() == before
    assert link.is_symlink()


def test_a_new_file_where_none_can_be(tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLES / "ovmf-kaslr.kdump", tmp_path))
    for place, words in (
        (dump, "the dump itself"),
        (tmp_path, "a directory"),
        ("/dev/full", "no regular file"),
        (tmp_path / "missing" / "new", "No such file"),
    ):
        done = qemufix("repair", dump, "-o", place)
        assert done.returncode == 3
        assert words in one_line(done.stderr)
    assert list(tmp_path.iterdir()) == [dump]


def test_a_journal_that_is_not_to_be_trusted(tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLES / "ovmf-kaslr.kdump", tmp_path))
    answered(dump, "--in-place")
    journal, after = dump.with_name(dump.name + ".qemufix-undo"), dump.read_bytes()
    good = journal.read_bytes()

    def refused(words: str) -> None:
        done = qemufix("repair", dump, "--undo")
        assert done.returncode == 3
        assert words in one_line(done.stderr)
        assert dump.read_bytes() == after

    journal.write_bytes(good.replace(b'"samples"', b'"Samples"', 1))
    refused("it is damaged")
    journal.write_bytes(good[: len(good) // 2])
    refused("it is damaged")
    journal.write_bytes(good)
    journal.chmod(0o666)
    refused("others than its owner")
    journal.unlink()
    target = tmp_path / "elsewhere"
    target.write_bytes(good)
    journal.symlink_to(target)
    refused("can't open")
    journal.unlink()
    shutil.copy(target, journal)
    journal.chmod(0o600)
    other = Path(shutil.copy(SAMPLES / "seabios-kaslr.kdump", tmp_path))
    shutil.copy(target, other.with_name(other.name + ".qemufix-undo"))
    other.with_name(other.name + ".qemufix-undo").chmod(0o600)
    done = qemufix("repair", other, "--undo")
    assert done.returncode == 3
    assert "not undone" in one_line(done.stderr)


def test_a_dump_that_changed_since_is_not_undone(tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLES / "ovmf-kaslr.kdump", tmp_path))
    answered(dump, "--in-place")
    with dump.open("r+b") as file:
        file.seek(5000)
        file.write(b"x")
    after = dump.read_bytes()
    done = qemufix("repair", dump, "--undo")
    assert done.returncode == 3
    assert "has changed since" in one_line(done.stderr)
    assert dump.read_bytes() == after


def test_vmcoreinfo(dump: Path) -> None:
    done = qemufix("vmcoreinfo", dump)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OSRELEASE=")
    answer = json.loads(qemufix("vmcoreinfo", "--json", dump).stdout)
    assert answer["vmcoreinfo"] == done.stdout
    assert answer["origin"] == "memory"
    located = json.loads(qemufix("physbase", "--json", dump).stdout)
    assert f"NUMBER(phys_base)={signed64(int(located['phys_base'], 16))}\n" in done.stdout
    assert dump.read_bytes() == (SAMPLES / dump.name).read_bytes()


def test_vmcoreinfo_without_a_kernel() -> None:
    done = qemufix("vmcoreinfo", SAMPLES / "reset-firmware.flat")
    assert (done.returncode, done.stdout) == (1, "")
    one_line(done.stderr)


@pytest.mark.parametrize(("name", "size"), [("ovmf-kaslr.elf", 6000), ("ovmf-kaslr.kdump", 300)])
def test_a_file_that_is_cut_off(name: str, size: int, tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLES / name, tmp_path))
    with dump.open("r+b") as file:
        file.truncate(dump.stat().st_size - size)
    before = dump.read_bytes()
    done = qemufix("repair", dump, "--in-place")
    # What lies behind the old end would be read as the memory that is missing.
    assert done.returncode == 3
    assert "cut off" in one_line(done.stderr)
    assert dump.read_bytes() == before
    new = tmp_path / "new"
    answer = answered(dump, "-o", new)
    assert any("could not be read" in warning for warning in answer["warnings"])
    with open_dump(dump) as cut, open_dump(new) as written:
        assert written.complete
        there = dict(memory(written))
        assert there
        assert all(cut.read(paddr, len(page)) == page for paddr, page in there.items())
