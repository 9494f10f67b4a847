# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin in Debian's arm64 crash, with its Python, both run by QEMU's user mode."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .crash_driver import DUMPS, ROOT, run_crash

pytestmark = [pytest.mark.crash, pytest.mark.lab]

EMULATED = ROOT / "lab" / "cache" / "root-arm64" / "emulated"
PLUGIN = ROOT / "build" / "emulated-arm64" / "qemufix.so"
#: An emulated crash takes some 8 s to start, a full session 30 s, on an idle machine.
TIMEOUT = 900


@dataclass(frozen=True)
class Session:
    """A session that has ended: what it printed, and the files that it left."""

    dump: Path
    truth: dict[str, Any]
    out: str
    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def answer(self, name: str) -> Any:
        return json.loads(self.text(name))


def ran(name: str, folder: Path, commands: Sequence[str], *options: str) -> Session:
    """A session on the lab dump ``name``; skips the test where there is none."""
    dump = DUMPS / name
    if not dump.exists():
        pytest.skip(f"no lab dump {name} (make sample-dumps)")
    truth = json.loads(dump.with_suffix(".json").read_text())
    vmlinux = (DUMPS / truth["vmlinux"]).resolve()
    argv = [str(EMULATED / "crash"), "--no_crashrc", *options, str(vmlinux), str(dump)]
    out = run_crash(argv, [*commands, "quit"], cwd=folder, timeout=TIMEOUT).out
    return Session(dump, truth, out, folder)


@pytest.fixture(scope="module")
def plugin() -> Path:
    """The plugin as ``make plugin-arm64`` builds it from the sources as they are."""
    if not EMULATED.exists():
        pytest.skip("there is no arm64 crash (make root-arm64)")
    for programs in (("aarch64-linux-gnu-gcc",), ("qemu-aarch64-static", "qemu-aarch64")):
        if not any(map(shutil.which, programs)):
            pytest.skip(f"{programs[0]} is not installed (make setup)")
    subprocess.run(["make", "-s", "plugin-arm64"], cwd=ROOT, check=True)
    return PLUGIN


@pytest.fixture(
    scope="module",
    params=["arm64-direct.elf", pytest.param("arm64-uefi.kdump", marks=pytest.mark.arch)],
)
def session(
    request: pytest.FixtureRequest, plugin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Session:
    """All commands in one minimal session."""
    commands = [
        "sym linux_banner > before",
        f"extend {plugin}",
        "qemufix detect --json > detect.json",
        "qemufix detect | head -1 > first",
        "qemufix physbase --json > physbase.json",
        "qemufix physbase --apply --dry-run > would",
        "sym linux_banner > after",
        "qemufix detect > again",
    ]
    return ran(request.param, tmp_path_factory.mktemp("arm64"), commands, "--minimal")


def test_the_python_is_that_architectures(plugin: Path) -> None:
    host = plugin.resolve().with_name("_host.so")
    assert bytes(EMULATED / "python3") in host.read_bytes()
    asked = [str(EMULATED / "python3"), "-c", "import platform; print(platform.machine())"]
    assert subprocess.check_output(asked, text=True) == "aarch64\n"


def test_detect_answers_as_outside(session: Session) -> None:
    answer = session.answer("detect.json")
    outside = subprocess.run(
        [sys.executable, "-m", "crashext", "detect", "--json", session.dump],
        capture_output=True, cwd=ROOT, check=True,
    )  # fmt: skip
    assert answer == json.loads(outside.stdout)
    assert answer["arch"] == "aarch64"
    assert session.text("first").endswith("written by QEMU (certain)\n")


def test_physbase_answers_with_the_guests_own_truth(session: Session) -> None:
    answer = session.answer("physbase.json")
    for name in ("phys_base", "kimage_voffset", "kaslr_offset", "text_vaddr", "text_paddr"):
        assert answer[name] == session.truth[name], name
    assert answer["release"] == session.truth["release"]
    assert answer["vmlinux_fits"] is True


def test_a_dry_run_says_that_it_takes_a_repaired_dump(session: Session) -> None:
    said = session.text("would")
    assert "it has to start again on a repaired dump" in said
    assert f"Would start crash again with kimage_voffset {session.truth['kimage_voffset']}" in said


def test_the_session_is_as_it_was(session: Session) -> None:
    assert "linux_banner" in session.text("before")
    assert session.text("after") == session.text("before")
    assert "written by QEMU" in session.text("again")
    assert "Traceback" not in session.out


def test_a_full_session_is_found_right(plugin: Path, tmp_path: Path) -> None:
    """Where the dump has a VMCOREINFO crash comes up, and its values are those found.

    With the options that the answer has: crash misreads some kernels' PHYS_OFFSET without.
    """
    asked = [sys.executable, "-m", "crashext", "physbase", "--json"]
    answer = json.loads(subprocess.check_output([*asked, DUMPS / "arm64-vmcoreinfo.kdump"]))
    commands = [f"extend {plugin}", "sys > sys", "qemufix physbase --apply | tail -1 > last"]
    full = ran("arm64-vmcoreinfo.kdump", tmp_path, commands, "-s", *answer["crash_args"])
    assert f"RELEASE: {full.truth['release']}" in full.text("sys"), full.out
    values = f"kimage_voffset {full.truth['kimage_voffset']}, KASLR offset"
    assert f"The session has {values} {full.truth['kaslr_offset']} already" in full.text("last")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("arm64-direct.elf", ("sys", "log", "kmem -i", "bt")),
        pytest.param("arm64-uefi.kdump", ("sys", "bt"), marks=pytest.mark.arch),
    ],
)
def test_a_minimal_session_starts_again_on_the_dump_repaired(
    name: str, asked: tuple[str, ...], plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Python has no FUSE, so it is a copy; the dump itself stays as it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = (DUMPS / name).stat()
    commands = [
        f"extend {plugin}",
        "qemufix physbase --apply",
        *(f"{command} > {command.split()[0]}" for command in asked),
        "qemufix physbase --apply | tail -1 > last",
    ]
    full = ran(name, tmp_path, commands, "--minimal", "-s")
    assert "Starting crash again with kimage_voffset" in full.out
    assert f"RELEASE: {full.truth['release']}" in full.text("sys"), full.out
    if "log" in asked:
        assert f"Linux version {full.truth['release']}" in full.text("log")
        assert re.search(r"TOTAL MEM +[1-9]\d{4,}", full.text("kmem"))
    assert "PID: 0" in full.text("bt") and "#0" in full.text("bt")
    assert "already: nothing to change" in full.text("last")
    after = (DUMPS / name).stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
