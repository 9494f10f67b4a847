# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix vmlinux`` as a user meets it: whole processes, on samples and real dumps."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crashext.symbols.vmlinux import Vmlinux
from lab.guests import DUMPS
from tests.cli.test_cli import SAMPLE, one_line, qemufix

FIELDS = {"schema", "path", "output", "release", "build_id", "symbols", "types", "globals",
          "modules", "missing", "bytes_written", "seconds"}  # fmt: skip
REAL = DUMPS / "ovmf-kaslr.kdump"
TRUTH = DUMPS / "ovmf-kaslr.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A vmlinux of a real guest, and what was said of it."""
    if not REAL.exists():
        pytest.skip("no lab dump (make sample-dumps)")
    path = tmp_path_factory.mktemp("made") / "vmlinux"
    done = qemufix("vmlinux", REAL, "-o", path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return path, json.loads(done.stdout)


@pytest.mark.lab
def test_json(made: tuple[Path, dict[str, Any]]) -> None:
    path, answer = made
    truth = json.loads(TRUTH.read_text())
    assert set(answer) == FIELDS
    assert (answer["schema"], answer["path"], answer["output"]) == (1, str(REAL), str(path))
    assert (answer["release"], answer["build_id"]) == (truth["release"], truth["build_id"])
    assert answer["symbols"] > 80_000
    assert answer["types"] > 30_000
    assert answer["globals"] > 7_000
    assert "virtio_blk" in answer["modules"]
    assert {"source lines", "local variables", "inlined functions"} <= set(answer["missing"])
    assert 0 < answer["bytes_written"] <= path.stat().st_size
    assert answer["seconds"] > 0


@pytest.mark.lab
def test_every_symbol_is_where_the_debug_vmlinux_has_it(made: tuple[Path, dict[str, Any]]) -> None:
    ours, theirs = (symbols(p) for p in (made[0], DUMPS / json.loads(TRUTH.read_text())["vmlinux"]))
    both = ours.keys() & theirs.keys()
    assert len(both) > 0.99 * len(ours)
    assert {name: ours[name] for name in both} == {name: theirs[name] for name in both}


def symbols(path: Path) -> dict[str, set[str]]:
    """The addresses of each name."""
    done = subprocess.run(["nm", path], capture_output=True, text=True, check=True)
    found: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        address, _, name = line.split()
        found.setdefault(name, set()).add(address)
    return found


@pytest.mark.lab
def test_it_is_told_from_a_real_one_and_changes_no_answer(
    made: tuple[Path, dict[str, Any]],
) -> None:
    with Vmlinux(str(made[0])) as vmlinux:
        assert vmlinux.is_made
    answers = [
        json.loads(qemufix("physbase", "--json", REAL, *extra).stdout)
        for extra in ((), ("--vmlinux", made[0]))
    ]
    same = ("found", "confidence", "phys_base", "kaslr_offset", "crash_args", "build_id")
    assert [answers[0][key] for key in same] == [answers[1][key] for key in same]
    assert answers[1]["vmlinux_fits"] is True


@pytest.mark.lab
def test_without_vcpus_it_makes_nothing_surer(tmp_path: Path) -> None:
    dump = DUMPS / "notes-zeroed.kdump"
    if not dump.exists():
        pytest.skip("no lab dump (make sample-dumps)")
    path = tmp_path / "vmlinux"
    assert qemufix("vmlinux", dump, "-o", path).returncode == 0
    alone, with_it = (
        json.loads(qemufix("physbase", "--json", dump, *extra).stdout)
        for extra in ((), ("--vmlinux", path))
    )
    assert alone["confidence"] == with_it["confidence"] == "strong"
    names = {e["name"] for e in with_it["evidence"]}
    assert "memory_map" in names


@pytest.mark.lab
def test_without_the_image(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    done = qemufix("vmlinux", REAL, "-o", path, "--no-image", "--json")
    answer = json.loads(done.stdout)
    with Vmlinux(str(made[0])) as whole:
        code = (whole.symbol("_etext") or 0) - (whole.symbol("_text") or 0)
    assert code > 8 << 20
    assert answer["bytes_written"] < made[1]["bytes_written"] - code
    assert answer["symbols"] == made[1]["symbols"]
    with Vmlinux(str(path)) as vmlinux:
        assert vmlinux.read(vmlinux.symbol("schedule") or 0, 16) is None
        assert vmlinux.banner is not None
    found = json.loads(qemufix("physbase", "--json", REAL, "--vmlinux", path).stdout)
    assert (found["found"], found["vmlinux_fits"]) == (True, True)


@pytest.mark.lab
def test_the_text_says_what_is_missing_and_what_is_next(tmp_path: Path) -> None:
    if not REAL.exists():
        pytest.skip("no lab dump (make sample-dumps)")
    done = qemufix("vmlinux", REAL, "-o", tmp_path / "vmlinux")
    assert done.returncode == 0
    assert "missing: source lines; local variables" in done.stdout
    assert f"Next: qemufix crash {REAL} --vmlinux {tmp_path}/vmlinux" in done.stdout


def test_a_dump_that_lacks_the_symbol_table(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    done = qemufix("vmlinux", SAMPLE, "-o", path)
    assert done.returncode == 1
    assert "kallsyms" in one_line(done.stderr)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
    answer = json.loads(qemufix("vmlinux", SAMPLE, "-o", path, "--json").stdout)
    assert set(answer) == FIELDS
    assert answer["output"] is None
    assert "kallsyms" in answer["missing"][0]
    assert answer["release"]


def test_where_it_can_not_go(tmp_path: Path) -> None:
    dump = Path(shutil.copy(SAMPLE, tmp_path / "dump"))
    before = dump.read_bytes()
    for output, why in ((tmp_path, "directory"), (dump, "dump itself"), ("/dev/null", "regular")):
        done = qemufix("vmlinux", dump, "-o", output)
        assert done.returncode == 1
        assert why in one_line(done.stderr)
    assert dump.read_bytes() == before


@pytest.mark.parametrize(
    ("args", "why"), [((), "-o FILE"), (("-o", "x", "--kernel", "second"), "--kernel takes")]
)
def test_usage(args: tuple[str, ...], why: str) -> None:
    done = qemufix("vmlinux", SAMPLE, *args)
    assert done.returncode == 2
    assert why in one_line(done.stderr)


def test_no_kernel_in_it(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(bytes(1 << 20))
    done = qemufix("vmlinux", path, "--format", "raw", "-o", tmp_path / "vmlinux")
    assert done.returncode == 1
    assert one_line(done.stderr)
