# SPDX-License-Identifier: GPL-3.0-or-later
"""The real tools on the lab's dumps, each of which they could not open by themselves."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crashext import open_dump
from tests.cli.test_cli import ROOT

LAB = ROOT / "lab" / "dumps"
EMULATED = ROOT / "lab" / "cache" / "root-arm64" / "emulated" / "crash"
CRASH_COMMANDS = "sys\nrd -a linux_banner\nquit\n"
DRGN_SCRIPT = """
from drgn.helpers.linux.pid import for_each_task
tasks = [task.comm.string_().decode() for task in for_each_task(prog)]
print(prog["init_uts_ns"].name.release.string_().decode(), len(tasks), tasks[0])
"""

pytestmark = [pytest.mark.lab]


def lab(name: str) -> tuple[Path, Path, dict[str, Any]]:
    """A dump of the lab, its vmlinux and what the guest said of itself."""
    dump = LAB / name
    if not dump.exists():
        pytest.skip(f"no lab dump {name} (make sample-dumps)")
    truth = json.loads((LAB / name).with_suffix(".json").read_text())
    return dump, (LAB / truth["vmlinux"]).resolve(), truth


def qemufix(*words: object, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "crashext", *map(str, words)]
    return subprocess.run(
        argv, capture_output=True, text=True, errors="replace", timeout=timeout, cwd=ROOT,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One guest's dump in what no tool opens."""
    dump, _, _ = lab("ovmf-kaslr.kdump")
    folder = tmp_path_factory.mktemp("wrapped")
    files = {"gzip": folder / "guest.kdump.gz", "raw": folder / "guest.raw"}
    files["gzip"].write_bytes(gzip.compress(dump.read_bytes(), 1))
    with open_dump(dump) as opened, files["raw"].open("wb") as raw:
        for part in opened.stored:
            for paddr in range(part.start, part.end, 1 << 20):
                raw.seek(paddr)
                raw.write(opened.read(paddr, min(1 << 20, part.end - paddr)))
    yield files
    shutil.rmtree(folder)


def session(done: subprocess.CompletedProcess[str], truth: dict[str, Any]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"RELEASE: {truth['release']}\n" in done.stdout
    assert "Linux version" in done.stdout


@pytest.mark.crash
@pytest.mark.skipif(not shutil.which("crash"), reason="crash is not installed")
@pytest.mark.parametrize("kind", ["gzip", "raw", "flat"])
def test_crash(kind: str, wrapped: dict[str, Path], tmp_path: Path) -> None:
    dump, vmlinux, truth = lab("ovmf-kaslr.flat" if kind == "flat" else "ovmf-kaslr.kdump")
    script = tmp_path / "commands"
    script.write_text(CRASH_COMMANDS)
    options = ("--format", "raw") if kind == "raw" else ()
    path = wrapped.get(kind, dump)
    done = qemufix(
        "crash", path, "--vmlinux", vmlinux, *options, "-s", "--no_crashrc", "-i", script
    )
    session(done, truth)
    assert ("crash reads no" in done.stderr) == (kind != "flat")


@pytest.mark.crash
@pytest.mark.skipif(not shutil.which("crash"), reason="crash is not installed")
def test_crash_early_in_boot_is_minimal(tmp_path: Path) -> None:
    dump, vmlinux, truth = lab("early-setup.kdump")
    script = tmp_path / "commands"
    script.write_text("log | head -1\nrd -a linux_banner\nquit\n")
    done = qemufix("crash", dump, "--vmlinux", vmlinux, "-s", "--no_crashrc", "-i", script)
    assert done.returncode == 0
    assert "did not come up" in done.stderr and "crash --minimal" in done.stdout
    assert f"Linux version {truth['release']}" in done.stdout.split("crash --minimal")[1]


@pytest.mark.crash
@pytest.mark.arch  # minutes under emulation
def test_crash_of_another_architecture(tmp_path: Path) -> None:
    """It needs a VMCOREINFO, which the dump has not."""
    if not EMULATED.exists():
        pytest.skip("there is no arm64 crash (make root-arm64)")
    dump, vmlinux, truth = lab("arm64-direct.kdump")
    script = tmp_path / "commands"
    script.write_text(CRASH_COMMANDS)
    words = ("--crash", EMULATED, "-s", "--no_crashrc", "-i", script)
    session(qemufix("crash", dump, "--vmlinux", vmlinux, *words, timeout=590), truth)


@pytest.mark.parametrize(
    "name", ["ovmf-kaslr.elf", "ovmf-4cpu.kdump", "ovmf-kaslr.flat", "gzip", "raw",
             "arm64-uefi.elf", "arm64-uefi.kdump"]
)  # fmt: skip
def test_drgn(name: str, wrapped: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("drgn")
    dump, vmlinux, truth = lab(name if "." in name else "ovmf-kaslr.kdump")
    script = tmp_path / "script.py"
    script.write_text(DRGN_SCRIPT)
    options = ("--format", "raw") if name == "raw" else ()
    done = qemufix("drgn", wrapped.get(name, dump), "--vmlinux", vmlinux, *options, "-q", script)
    assert done.returncode == 0, done.stderr
    release, tasks, first = done.stdout.splitlines()[-1].split()
    assert (release, first) == (truth["release"], "init") and int(tasks) > 20


@pytest.mark.skipif(not shutil.which("gdb-multiarch"), reason="no gdb-multiarch")
@pytest.mark.parametrize("name", ["ovmf-4cpu.kdump", "ovmf-4cpu.elf", "gzip", "arm64-4cpu.kdump"])
def test_gdb(name: str, wrapped: dict[str, Path]) -> None:
    dump, vmlinux, truth = lab(name if "." in name else "ovmf-kaslr.kdump")
    commands = (
        "print linux_banner",
        f"x/s {truth['symbols']['linux_banner']}",
        "info threads",
        "bt",
        'printf "pc %lx, in the first stack %d\\n", $pc, '
        "(unsigned long) $sp - (unsigned long) &init_stack < sizeof(init_stack)",
    )
    words = [word for command in commands for word in ("-ex", command)]
    done = qemufix("gdb", wrapped.get(name, dump), "--vmlinux", vmlinux, "-nx", "-batch", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f'"Linux version {truth["release"]}') == 2, done.stdout
    threads = [line for line in done.stdout.splitlines() if re.match(r"[* ] +\d+ +LWP ", line)]
    assert len(threads) == truth["vcpus"]
    # Other stacks than the first idle task's are where an ELF core has no memory for gdb.
    pc, first_stack = re.findall(r"^pc (\w+), in the first stack (\d)$", done.stdout, re.M)[0]
    if first_stack == "1":
        assert "start_kernel ()" in done.stdout
    else:
        assert re.search(r"^#0 .*\w+ \(" if int(pc, 16) >> 63 else r"^#0 ", done.stdout, re.M)
