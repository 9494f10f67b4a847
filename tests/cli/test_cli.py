# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a user meets it: whole processes on samples of real dumps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_dumps"
TRUTHS = {
    SAMPLES / name: truth
    for path in sorted(SAMPLES.glob("*.json"))
    for truth in [json.loads(path.read_text())]
    for name in truth["dumps"]
}
SAMPLE = SAMPLES / "ovmf-kaslr.elf"
VMLINUX: Path = SAMPLES / TRUTHS[SAMPLE]["vmlinux"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def qemufix(*args: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crashext", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, **options
    )


def one_line(text: str) -> str:
    assert text.startswith("qemufix: ")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    return text


@pytest.mark.parametrize("path", TRUTHS, ids=lambda p: p.name)
def test_detect_every_sample(path: Path) -> None:
    done = qemufix("detect", "--json", path)
    answer, truth = json.loads(done.stdout), TRUTHS[path]
    origin = truth.get("origin", "qemu")
    assert (done.returncode, done.stderr) == (0 if origin == "qemu" else 1, "")
    # A sample of /proc/vmcore lacks pages, as makedumpfile's files do.
    assert answer["origin"] in ({"kdump", "makedumpfile"} if origin == "kdump" else {origin})
    assert answer["confidence"] in ("certain", "strong")
    assert answer["schema"] == 1
    assert answer["vcpus"] == truth["vcpus"]
    assert answer["format"] == ("elf" if path.suffix == ".elf" else "kdump")
    assert answer["flattened"] == (path.suffix == ".flat")
    assert answer["complete"]
    assert answer["ram_bytes"] > 0


@pytest.mark.parametrize(("name", "present"), [("kaslr", False), ("vmcoreinfo", True)])
def test_vmcoreinfo_is_seen(name: str, present: bool) -> None:
    answer = json.loads(qemufix("detect", "--json", SAMPLES / f"ovmf-{name}.flat").stdout)
    assert answer["vmcoreinfo"] is present


def test_the_header_claim_of_a_guest_with_vmcoreinfo() -> None:
    path = SAMPLES / "ovmf-vmcoreinfo.flat"
    answer = json.loads(qemufix("detect", "--json", path).stdout)
    assert answer["header_phys_base_meaning"] == "vmcoreinfo_misread"
    assert answer["header_phys_base_decoded"] == TRUTHS[path]["phys_base"]
    assert answer["header_phys_base"] != TRUTHS[path]["phys_base"]


@pytest.mark.parametrize("path", TRUTHS, ids=lambda p: p.name)
def test_physbase_equals_the_guests_truth(path: Path) -> None:
    truth = TRUTHS[path]
    given = ["--vmlinux", SAMPLES / truth["vmlinux"]] if truth.get("vmlinux") else []
    done = qemufix("physbase", "--json", path, *given)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0 if truth["found"] else 1, "")
    wanted = ("found", "phys_base", "kaslr_offset", "text_vaddr", "text_paddr", "build_id")
    known = wanted if truth["found"] else wanted[:3]
    assert {k: answer[k] for k in known} == {k: truth.get(k) for k in known}
    if truth["found"]:
        # What crash can be told, by what it can't work out itself.
        machdep = {"x86_64": f"phys_base={truth['phys_base']}", "i386": "page_offset=0xc0000000"}
        told = ["--machdep", machdep[answer["arch"]]] if answer["arch"] in machdep else []
        moved = [f"--kaslr={int(truth['kaslr_offset'], 16):#x}"] if told else []
        assert answer["crash_args"] == [*moved, *told]


def test_human_output_shows_the_answer() -> None:
    done = qemufix("physbase", SAMPLE, "--vmlinux", VMLINUX)
    truth = TRUTHS[SAMPLE]
    assert done.returncode == 0
    for field in ("phys_base", "kaslr_offset", "release", "build_id"):
        assert truth[field] in done.stdout
    assert all(len(line) < 100 for line in done.stdout.splitlines()[1:-1])


def test_without_cpu_state() -> None:
    done = qemufix("physbase", "--no-cpu-state", "--json", SAMPLE, "--vmlinux", VMLINUX)
    answer = json.loads(done.stdout)
    assert answer["phys_base"] == TRUTHS[SAMPLE]["phys_base"]
    assert "cpu_page_tables" not in answer["confirmed_by"]


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["frobnicate"], "frobnicate"),
        (["detect"], "dump"),
        (["detect", "--frob", "x"], "--frob"),
        (["physbase", "x", "--vmlinux"], "--vmlinux"),
        (["physbase", "x", "--kernel", "nine"], "--kernel"),
        (["physbase", "x", "--restart"], "--restart"),
        (["physbase", "x", "--dry-run"], "--dry-run"),
        (["physbase", "x", "--apply"], "inside crash"),
        (["crash"], "dump"),
        (["gdb", "x", "--kernel", "nine"], "--kernel"),
    ],
)
def test_usage_is_2_and_one_line(args: list[str], word: str) -> None:
    done = qemufix(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert word in one_line(done.stderr)


@pytest.mark.parametrize("command", ["detect", "physbase"])
@pytest.mark.parametrize(
    "name", ["missing", "empty", "folder", "text", "cut", "vmlinux", "/dev/zero"]
)
def test_a_file_that_is_no_dump_is_3(command: str, name: str, tmp_path: Path) -> None:
    path = _bad_file(name, tmp_path)
    done = qemufix(command, path)
    assert (done.returncode, done.stdout) == (3, "")
    assert str(path) in one_line(done.stderr)


def _bad_file(name: str, folder: Path) -> Path:
    path = folder / name
    if name == "empty":
        path.touch()
    elif name == "folder":
        path.mkdir()
    elif name == "text":
        path.write_text("no dump at all\n" * 1000)
    elif name == "cut":
        path.write_bytes(SAMPLE.read_bytes()[:200])
    elif name == "vmlinux":
        return VMLINUX
    elif name.startswith("/"):
        return Path(name)
    return path


def test_a_cut_dump_without_its_kernel_is_3(tmp_path: Path) -> None:
    whole = SAMPLES / "seabios-kaslr.kdump"
    cut = tmp_path / "cut.kdump"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    done = qemufix("physbase", cut)
    assert (done.returncode, done.stdout) == (3, "")
    assert "incomplete" in one_line(done.stderr)
    assert not json.loads(qemufix("detect", "--json", cut).stdout)["complete"]


@pytest.mark.parametrize("name", ["missing", "empty", "folder", "text"])
def test_an_unreadable_vmlinux_is_3(name: str, tmp_path: Path) -> None:
    path = _bad_file(name, tmp_path)
    done = qemufix("physbase", SAMPLE, "--vmlinux", path)
    if name == "folder":
        assert done.returncode in (0, 3)
    else:
        assert (done.returncode, done.stdout) == (3, "")
        assert str(path) in one_line(done.stderr)


def test_a_file_name_with_an_escape_is_shown_harmlessly(tmp_path: Path) -> None:
    done = qemufix("detect", tmp_path / "a\x1b[31mb\nc")
    assert done.returncode == 3
    assert "\x1b" not in one_line(done.stderr)


def test_a_vmlinux_of_another_build_is_named(tmp_path: Path) -> None:
    other = tmp_path / "vmlinux"
    changed = VMLINUX.read_bytes().replace(b"#1 SMP", b"#2 SMP")
    build_id = bytes.fromhex(TRUTHS[SAMPLE]["build_id"])
    other.write_bytes(changed.replace(build_id, bytes(len(build_id))))
    done = qemufix("physbase", "--json", SAMPLE, "--vmlinux", other)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["found"], answer["vmlinux_fits"]) == (0, True, False)
    assert answer["phys_base"] == TRUTHS[SAMPLE]["phys_base"]
    (misfit,) = (w for w in answer["warnings"] if "does not fit" in w)
    assert TRUTHS[SAMPLE]["build_id"][:12] in misfit
    shown = qemufix("physbase", SAMPLE, "--vmlinux", other).stdout
    assert "the vmlinux given does not fit" in shown.splitlines()[0]
    assert any(line.startswith("Next: ") for line in shown.splitlines())
    refused = qemufix("crash", other, SAMPLE, "--print")
    assert refused.returncode == 1
    assert "crash --kaslr" not in refused.stdout


@pytest.mark.parametrize("kernel", ["0", "3", "nine", "0xZZ"])
def test_a_kernel_is_asked_for_by_id(kernel: str) -> None:
    done = qemufix("physbase", SAMPLE, "--vmlinux", VMLINUX, "--kernel", kernel)
    assert done.returncode == 2
    assert "id of the list" in done.stderr
    right = TRUTHS[SAMPLE]["text_paddr"]
    asked = qemufix("physbase", "--json", SAMPLE, "--vmlinux", VMLINUX, "--kernel", right)
    assert json.loads(asked.stdout)["confidence"] == "certain"


def test_crash_command_is_printed() -> None:
    done = qemufix("crash", VMLINUX, SAMPLE, "--print", "-s", "-i", "a file")
    truth = TRUTHS[SAMPLE]
    assert done.returncode == 0
    assert done.stdout.strip() == (
        f"crash --kaslr={truth['kaslr_offset']} --machdep phys_base={truth['phys_base']}"
        f" -s -i 'a file' {VMLINUX} {SAMPLE}"
    )


def test_crash_is_started_with_the_answer(tmp_path: Path) -> None:
    stand_in = tmp_path / "crash"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@" | tail -n 3\nexit 7\n')
    stand_in.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = qemufix("crash", VMLINUX, SAMPLE, "-s", env={**os.environ, "PATH": path})
    assert done.returncode == 7
    assert done.stdout.splitlines()[1:] == ["-s", str(VMLINUX), str(SAMPLE)]


def test_no_crash_in_path() -> None:
    env = {**os.environ, "PATH": "/nonexistent"}
    done = qemufix("crash", VMLINUX, SAMPLE, env=env)
    assert done.returncode == 1
    assert "no crash for x86_64 in PATH" in one_line(done.stderr)


def test_version_and_help() -> None:
    assert qemufix("--version").stdout.startswith("qemufix 0.")
    assert "detect" in qemufix("--help").stdout
    assert "--vmlinux" in qemufix("physbase", "--help").stdout
    bare = qemufix()
    assert bare.returncode == 2
    assert bare.stdout.startswith("Usage:")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m crashext detect {SAMPLE} | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("redirection", "status"), [(">&-", 0), (">/dev/full", 3), (">&- 2>&-", 0)]
)
def test_output_that_cannot_be_written(redirection: str, status: int) -> None:
    command = f"{sys.executable} -m crashext detect {SAMPLE} {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == status
    assert done.stderr.count("\n") == (status == 3)
    assert "Traceback" not in done.stderr


def test_no_heavy_module_for_detect() -> None:
    program = (
        "import sys; from crashext.cli import run; run(['detect', sys.argv[1]]);"
        "heavy = {'elftools', 'rich', 'crashext.symbols', 'zstandard', 'lzo', 'snappy', 'isal'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, SAMPLE],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")
