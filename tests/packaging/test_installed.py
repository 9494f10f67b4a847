# SPDX-License-Identifier: GPL-3.0-or-later
"""pip, make install and crash, in environments that have nothing of ours yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from crashext.cli.commands import cli
from tests.session.crash_driver import environment, guest, run_crash

from .building import HEADER, ROOT, SECONDS, WITHOUT_CRASH, copy_sources

SAMPLE = ROOT / "sample_dumps" / "ovmf-kaslr.kdump"
#: Imports every module of the package, but for what extras alone need (view, fleet).
IMPORT_ALL = """
import importlib, pkgutil, crashext
for found in pkgutil.walk_packages(crashext.__path__, "crashext."):
    if not found.name.endswith(".__main__") and ".programs" not in found.name:
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            if error.name not in ("mfusepy", "rich", "distributed"):
                raise
print(crashext.__file__)
"""


def run(command: Sequence[str | Path], **environ: str) -> str:
    """What a command says that must succeed; without a terminal, in its own session."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        env={**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        cwd="/",
        timeout=SECONDS,
        check=False,
    )
    if "No matching distribution found" in done.stdout or "ConnectionError" in done.stdout:
        pytest.skip("pip reaches no package index")
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def fresh(folder: Path, package: Path, **environ: str) -> Path:
    """The programs of a new virtual environment with ``package`` in it."""
    run([sys.executable, "-m", "venv", folder])
    run([folder / "bin" / "pip", "install", "--no-cache-dir", package], **environ)
    return folder / "bin"


def test_pip_without_crash_gives_the_whole_command_line(sdist: Path, tmp_path: Path) -> None:
    programs = fresh(tmp_path, sdist, **WITHOUT_CRASH)
    qemufix = programs / "qemufix"
    said = run([qemufix, "--version"])
    assert "left out: crash's header /nonexistent/defs.h was not there" in said
    assert "--no-cache-dir" in said, "pip would take the wheel that it made before"
    assert str(tmp_path) in run([programs / "python", "-c", IMPORT_ALL])
    for command in cli.commands:
        assert "Usage: qemufix" in run([qemufix, command, "--help"])
    truth = json.loads(SAMPLE.with_suffix(".json").read_text())
    found = json.loads(run([qemufix, "physbase", "--json", SAMPLE]))
    assert found["phys_base"] == truth["phys_base"]
    run([qemufix, "repair", SAMPLE, "-o", tmp_path / "right.elf", "--to", "elf"])
    run([qemufix, "report", SAMPLE, "-o", tmp_path / "page.html"])
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "share" / "man" / "man1" / "qemufix-detect.1").exists()


@pytest.mark.lab
@pytest.mark.crash
def test_the_plugin_of_a_wheel_works_in_crash(plugin_wheel: Path, tmp_path: Path) -> None:
    dump = guest("ovmf-kaslr.elf")
    programs = fresh(tmp_path, plugin_wheel)
    path = run([programs / "qemufix", "--version"]).partition("extension: ")[2].partition(",")[0]
    done = run_crash(dump.argv("--minimal"), [f"extend {path}", "qemufix physbase"], cwd=tmp_path)
    assert f"{path}: shared object loaded" in done.out
    assert "kernel found (certain" in done.out


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def own_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not HEADER.exists():
        pytest.skip("crash's defs.h is not installed")
    return copy_sources(tmp_path_factory.mktemp("copy"))


def make(copy: Path, *words: str, home: Path) -> str:
    cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    command = ["make", "--no-print-directory", "-C", str(copy), *words]
    return run(command, HOME=str(home), PIP_CACHE_DIR=cache)


def test_make_install_into_ones_home(own_copy: Path, tmp_path: Path) -> None:
    prefix = tmp_path / ".local"
    (prefix / "bin").mkdir(parents=True)
    said = make(own_copy, "install", "PREFIX=~/.local", home=tmp_path)
    extensions = prefix / "lib" / "crash" / "extensions"
    assert f"in crash: extend {extensions}/qemufix.so" in said
    assert f"export CRASH_EXTENSIONS={extensions}" in said
    assert "kernel found" in run([prefix / "bin" / "qemufix", "physbase", SAMPLE])
    share = prefix / "share"
    assert (share / "man/man1/qemufix-report.1").exists()
    assert (share / "bash-completion/completions/qemufix").exists()
    assert (share / "zsh/site-functions/_qemufix").exists()
    assert (share / "fish/vendor_completions.d/qemufix.fish").exists()
    if (ROOT / "lab" / "dumps" / "ovmf-kaslr.elf").exists():
        _extend_by_name(extensions, tmp_path)
    make(own_copy, "uninstall", "PREFIX=~/.local", home=tmp_path)
    assert tree(prefix) == ["bin"], "what was there before stays, and nothing else"


def _extend_by_name(extensions: Path, folder: Path) -> None:
    """crash finds it where it was told to look."""
    env = environment(CRASH_EXTENSIONS=str(extensions))
    commands = ["extend qemufix.so", "qemufix detect"]
    argv = guest("ovmf-kaslr.elf").argv("--minimal")
    done = run_crash(argv, commands, cwd=folder.parent, env=env)
    assert f"{extensions}/qemufix.so: shared object loaded" in done.out
    assert "written by QEMU" in done.out


def test_make_install_for_a_package(own_copy: Path, tmp_path: Path) -> None:
    stage, words = tmp_path / "stage", (f"DESTDIR={tmp_path}/stage", "PREFIX=/opt/not-there")
    make(own_copy, "install", *words, home=tmp_path / "home")
    link = stage / "opt/not-there/lib/crash/extensions/qemufix.so"
    assert str(link.readlink()) == "/opt/not-there/lib/qemufix/crashext/qemufix.so"
    command = (stage / "opt/not-there/bin/qemufix").read_text()
    assert str(tmp_path) not in command
    assert not Path("/opt/not-there").exists()
    make(own_copy, "uninstall", *words, home=tmp_path / "home")
    assert tree(stage) == []
