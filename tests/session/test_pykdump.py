# SPDX-License-Identifier: GPL-3.0-or-later
"""The PyKdump program, on a stand-in with PyKdump's manners and every Python there is."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from .pykdump import pythons

PROGRAM = Path(__file__).resolve().parents[2] / "crashext" / "session" / "programs" / "qemufix.py"
STAND_IN = Path(__file__).with_name("fake_pykdump.py")
#: What crash lists (extensions.c dump_extension_table).
LISTED = "SHARED OBJECT  COMMANDS\n./mpykdump.so  epython crashinfo \n"
LOADED = LISTED + "./qemufix.so  qemufix \n"


@dataclass(frozen=True)
class Package:
    """A package folder with the program, and a file where the plugin would be."""

    folder: Path

    def __post_init__(self) -> None:
        self.program.parent.mkdir(parents=True)
        shutil.copyfile(PROGRAM, self.program)
        self.plugin.touch()

    @property
    def program(self) -> Path:
        return self.folder / "crashext" / "session" / "programs" / "qemufix.py"

    @property
    def plugin(self) -> Path:
        return self.folder / "crashext" / "qemufix.so"

    @property
    def answers(self) -> dict[str, str]:
        """What crash says where the plugin is not loaded yet."""
        loaded = f"{self.plugin}: shared object loaded\n"
        return {"extend": LISTED, f"extend {self.plugin}": loaded}


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path / "package")


@dataclass(frozen=True)
class Ran:
    """What the program printed, what it had crash do, what it left behind."""

    out: str
    asked: list[str]
    left: list[str]


def run(answers: Mapping[str, str], *argv: str, python: Path | None = None, cwd: Path) -> Ran:
    program = python or next(iter(pythons().values()))
    # Neither site nor environment, as PyKdump starts its own.
    command: list[str | Path] = [program, "-I", "-S", STAND_IN, json.dumps(answers), *argv]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=True)
    assert not done.stderr
    *said, last = done.stdout.splitlines(keepends=True)
    return Ran("".join(said), **json.loads(last))


@pytest.mark.parametrize("version", pythons())
def test_every_python_reads_the_program(version: str, package: Package, tmp_path: Path) -> None:
    """It has crash load our plugin, and run the line; nothing stays behind."""
    (tmp_path / "qemufix.py").symlink_to(package.program)
    answers = {**package.answers, "qemufix physbase --json": '{"found": "ja\u00df"}\n'}
    argv = ("./qemufix.py", "physbase", "--json")
    ran = run(answers, *argv, python=pythons()[version], cwd=tmp_path)
    assert ran.out == answers["qemufix physbase --json"]
    assert ran.asked == list(answers)
    assert ran.left == []


def test_a_loaded_plugin_is_used(package: Package, tmp_path: Path) -> None:
    ran = run({"extend": LOADED}, str(package.program), "detect", cwd=tmp_path)
    assert ran.asked == ["extend", "qemufix detect"]
    assert ran.out == ""


def test_register_loads_the_plugin_and_no_more(package: Package, tmp_path: Path) -> None:
    ran = run(package.answers, str(package.program), "--register", cwd=tmp_path)
    assert ran.asked == list(package.answers)
    assert ran.out == ""


def test_words_stay_words(package: Package, tmp_path: Path) -> None:
    ran = run({"extend": LOADED}, str(package.program), "detect", "two words", cwd=tmp_path)
    assert ran.asked[-1] == 'qemufix detect "two words"'


def test_a_plugin_that_does_not_load_says_why(package: Package, tmp_path: Path) -> None:
    load = f"extend {package.plugin}"
    why = "qemufix.so was built for crash 7.0, this is crash 8.0\n"
    ran = run({"extend": LISTED, load: why}, str(package.program), "detect", cwd=tmp_path)
    assert ran.out == why
    assert ran.asked[-1] == load


def test_a_copy_away_from_its_package_says_what_to_set(tmp_path: Path) -> None:
    copy = tmp_path / "qemufix.py"
    shutil.copyfile(PROGRAM, copy)
    ran = run({"extend": LISTED}, str(copy), "detect", cwd=tmp_path)
    assert ran.out.count("\n") == 1
    assert "QEMUFIX_PATH" in ran.out
    assert ran.asked[-1] == "extend qemufix.so", "it may be in crash's own folder"


def test_the_path_that_is_set_is_used(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "qemufix.py"
    shutil.copyfile(PROGRAM, copy)
    monkeypatch.setenv("QEMUFIX_PATH", str(package.folder))
    ran = run({"extend": LISTED}, str(copy), "detect", cwd=tmp_path)
    assert ran.asked[-1] == f"extend {package.plugin}"
