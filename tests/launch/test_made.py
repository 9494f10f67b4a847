# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tool is told about a vmlinux that was made from the dump."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from crashext.launch.case import Case
from crashext.launch.crash import Crash
from crashext.launch.drgn import Drgn
from tests.launch.test_start import script
from tests.symbols.servers import serving

from .test_tools import DRGN_SCRIPT, lab, own_cache, qemufix

__all__ = ["own_cache"]  # a fixture


def case(**known: object) -> Case:
    facts = {"vmlinux": "made", "debug": None, "is_made": True}
    return cast(Case, SimpleNamespace(**{**facts, **known}))


def test_drgn_is_not_to_look_for_more_than_was_made() -> None:
    assert Drgn().arguments(case(), ["core"], ["-q"]) == [
        *("-c", "core", "-s", "made", "--no-default-symbols", "-q")
    ]
    real = Drgn().arguments(case(is_made=False), ["core"], [])
    assert real == ["-c", "core", "-s", "made"]


@pytest.mark.parametrize("own", ["--main-symbols", "--no-default-symbols"])
def test_drgn_takes_one_such_option(own: str) -> None:
    assert Drgn().arguments(case(), ["core"], [own]) == ["-c", "core", "-s", "made", own]


@pytest.mark.lab
def test_drgn_then_asks_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Even who lets it ask; without the option modules' build IDs, a guest's words, go out."""
    pytest.importorskip("drgn")
    if "with debuginfod" not in version():
        pytest.skip("a drgn without debuginfod")
    dump, vmlinux, _ = lab("ovmf-kaslr.kdump")
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "fetched"))
    asked: dict[str, list[str]] = {}
    for option in ("--no-default-symbols", "-q"):
        with serving(None) as server:
            monkeypatch.setenv("DEBUGINFOD_URLS", server.url)
            words = (option, "--try-symbols-by", "debuginfod", "-e", "print(prog)")
            done = qemufix("drgn", dump, "--vmlinux", vmlinux, *words)
            assert done.returncode == 0, done.stderr
            asked[option] = server.asked
    assert asked["--no-default-symbols"] == [] and asked["-q"] != []


def version() -> str:
    command = [sys.executable, "-m", "drgn", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A dump whose vmlinux is nowhere, and its release."""
    dump, _, truth = lab("ovmf-kaslr.kdump")
    if Path("/usr/lib/debug/boot", f"vmlinux-{truth['release']}").exists():
        pytest.skip("the debug package of the lab's kernel is installed")
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "fetched"))
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    return dump, truth["release"]


@pytest.mark.lab
@pytest.mark.crash
@pytest.mark.skipif(not shutil.which("crash"), reason="crash is not installed")
def test_crash_comes_up_without_any(nothing_installed: tuple[Path, str], tmp_path: Path) -> None:
    dump, release = nothing_installed
    (tmp_path / "commands").write_text("sys\nquit\n")
    done = qemufix("crash", dump, "-s", "--no_crashrc", "-i", tmp_path / "commands")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(made from the dump" in done.stderr and f"RELEASE: {release}\n" in done.stdout
    tasks = re.search(r"TASKS: (\d+)", done.stdout)
    assert tasks is not None and int(tasks.group(1)) > 20


@pytest.mark.lab
def test_drgn_comes_up_without_any(nothing_installed: tuple[Path, str], tmp_path: Path) -> None:
    pytest.importorskip("drgn")
    dump, release = nothing_installed
    (tmp_path / "script.py").write_text(DRGN_SCRIPT)
    done = qemufix("drgn", dump, "--", tmp_path / "script.py")
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()[-1].split()
    assert (words[0], words[2]) == (release, "init") and int(words[1]) > 20
    # Two lines of ours, and none of drgn's about modules.
    assert [line.startswith("qemufix: ") for line in done.stderr.splitlines()] == [True, True]


@pytest.mark.parametrize(
    ("said", "old"),
    [
        ("crash 8.0.2", True), ("crash 7.3.2-1.el8", True), ("\ncrash 8.0.3++", True),
        ("crash 8.0.4-1", False), ("crash 9.0.2", False), ("crash 10.0.0", False), ("", False),
        ("GNU gdb (GDB) 7.3.1", False),
    ],
)  # fmt: skip
def test_which_crash_counts_tasks_wrongly(said: str, old: bool, tmp_path: Path) -> None:
    program = script(tmp_path / "crash", f"test \"$1\" = --version && printf '{said}\\n'\n")
    assert Crash().is_old([str(program)]) is old


def test_a_crash_that_says_nothing_is_not_old(tmp_path: Path) -> None:
    assert not Crash().is_old([str(tmp_path / "none")])
    assert not Crash().is_old([str(script(tmp_path / "crash", "exit 1\n"))])
