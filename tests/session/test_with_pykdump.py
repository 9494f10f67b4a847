# SPDX-License-Identifier: GPL-3.0-or-later
"""Our plugin and an extension that owns a Python interpreter, in one real session."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from .conftest import StaleCopy
from .crash_driver import PLUGIN, ROOT, environment, guest, run_crash
from .leftovers import Left, look
from .pykdump import DEBIAN, build, pythons, with_archive

pytestmark = [pytest.mark.crash, pytest.mark.lab]

PROGRAMS = ROOT / "crashext" / "session" / "programs"
DUMP = "ovmf-kaslr.kdump"
MINIMAL = ["--minimal", "--kaslr=0", "--machdep", "phys_base=0"]
#: A program of PyKdump's user: it imports C extension modules, which stay mapped.
SHOW = """\
import sys, crash, ctypes, json, zlib
print('alive', sys.argv[1], 'click' in sys.modules, any('venv' in p for p in sys.path),
      flush=True)
del ctypes, json, zlib
"""
NAMES = """\
import json, sys
ours = [name for name in sys.modules if name.startswith(("crashext", "click", "ctypes"))]
print(json.dumps([sorted(globals()), __file__, sys.path, ours]), flush=True)
"""
Forms = Callable[[Path], tuple[str, str]]


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Forms:
    """The bare C part and the form with the archive, for a Python."""

    @cache
    def built(python: Path) -> tuple[str, str]:
        bare = build(python, tmp_path_factory.mktemp("epython"))
        return str(bare), str(with_archive(bare))

    return built


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """PYKDUMPPATH: our program, linked there as docs/pykdump.md says, and two others."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "qemufix.py").symlink_to(PROGRAMS / "qemufix.py")
    (folder / "show.py").write_text(SHOW)
    (folder / "names.py").write_text(NAMES)
    return str(folder)


def run(options: Sequence[str], commands: Sequence[str], cwd: Path) -> str:
    env = environment(PYKDUMPPATH=str(cwd / "programs"))
    return run_crash(guest(DUMP).argv("-s", *options), commands, cwd=cwd, env=env).out


def phys_base(answer: Path) -> str:
    return str(json.loads(answer.read_text())["phys_base"])


@pytest.mark.parametrize("version", pythons())
@pytest.mark.usefixtures("programs")
def test_as_its_program_on_every_python(version: str, forms: Forms, tmp_path: Path) -> None:
    """In the form that people load, whose __main__.__file__ is not the program's."""
    case = guest(DUMP)
    _, full = forms(pythons()[version])
    commands = [
        f"extend {full}", "epython names > before", "epython qemufix physbase --json > answer",
        "epython names > after", "epython qemufix nonsense > usage",
        "epython qemufix detect | head -1 > first", "qemufix physbase --json > ours",
        "help qemufix | head -3 > help", "epython names > last",
    ]  # fmt: skip
    out = run(case.right, commands, tmp_path)
    for name in ("answer", "ours"):
        assert phys_base(tmp_path / name) == case.phys_base, out
    assert "written by QEMU" in (tmp_path / "first").read_text()
    assert (tmp_path / "usage").read_text().startswith("qemufix: No such command")
    assert "qemufix" in (tmp_path / "help").read_text()
    before = (tmp_path / "before").read_text()
    assert "PyKdumpInit" in before
    assert before == (tmp_path / "after").read_text() == (tmp_path / "last").read_text()
    assert "Traceback" not in out


@pytest.mark.usefixtures("programs")
def test_an_exception_that_is_left_pending_is_not_ours(forms: Forms, tmp_path: Path) -> None:
    """The bare C part finds no archive behind itself, and leaves it at that.

    Since Python 3.13 it fails to connect its next program, whosever, with crash's output.
    """
    bare, _ = forms(DEBIAN)
    loaded = [f"extend {bare}", f"extend {PLUGIN}", "qemufix detect | head -1 > plugin"]
    theirs, ours = "epython show own > theirs", "epython qemufix detect | head -1 > ours"
    for commands in ([theirs, ours], [ours, "qemufix detect | head -1 > plugin"]):
        out = run(guest(DUMP).right, [*loaded, *commands], tmp_path)
        assert "written by QEMU" in (tmp_path / "plugin").read_text(), out
        first = (tmp_path / "theirs").read_text()
        if commands[0] == theirs or "alive own" in first:
            assert "written by QEMU" in (tmp_path / "ours").read_text(), out


class Steps:
    """Command lines, with a mark for each that has to show."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.marks: list[str] = []

    def load(self, extension: str) -> None:
        self.lines.append(f"extend {extension}")

    def unload(self, extension: str) -> None:
        self.lines.append(f"extend -u {extension}")

    def ours(self) -> None:
        self._marked("qemufix detect | head -1 > {}")

    def theirs(self) -> None:
        self._marked("epython show {0} > {0}")

    def _marked(self, line: str) -> None:
        self.marks.append(f"step{len(self.marks)}")
        self.lines.append(line.format(self.marks[-1]))


def three_rounds(first: str, second: str) -> Steps:
    """Both loaded and unloaded in turn, with a command of each that is there after every step."""
    steps = Steps()
    command = {str(PLUGIN): steps.ours}
    for _ in range(3):
        there: list[str] = []
        for change in (first, second, f"-{first}", first, f"-{second}", f"-{first}"):
            if change.startswith("-"):
                steps.unload(change[1:])
                there.remove(change[1:])
            else:
                steps.load(change)
                there.append(change)
            for extension in there:
                command.get(extension, steps.theirs)()
    return steps


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "PyKdump first"])
@pytest.mark.parametrize("version", [DEBIAN.name, *list(pythons())[-1:]])
@pytest.mark.usefixtures("programs")
def test_loading_and_unloading_in_any_order(
    version: str, ours_first: bool, forms: Forms, tmp_path: Path
) -> None:
    """What an unloaded interpreter leaves in the process does not matter."""
    _, full = forms(pythons().get(version, DEBIAN))
    first, second = (str(PLUGIN), full) if ours_first else (full, str(PLUGIN))
    steps = three_rounds(first, second)
    out = run(guest(DUMP).right, steps.lines, tmp_path)
    assert len(steps.marks) == 3 * 7
    for mark in steps.marks:
        text = (tmp_path / mark).read_text()
        assert "written by QEMU" in text or text == f"alive {mark} False False\n", out
    assert "another interpreter was there before" not in out or version != DEBIAN.name


@pytest.mark.usefixtures("programs")
def test_nothing_is_left_of_commands(forms: Forms, tmp_path: Path) -> None:
    _, full = forms(DEBIAN)
    both = ["epython qemufix detect | head -1", "qemufix detect > /dev/null"]
    commands = [f"extend {full}", *both, *both, look("before"), *both * 25, look("after")]
    run(guest(DUMP).right, commands, tmp_path)
    before, after = Left.read(tmp_path / "before"), Left.read(tmp_path / "after")
    after.shows_no_leak_since(before)


@pytest.mark.usefixtures("programs")
def test_minimal_apply_then_pykdump(forms: Forms, tmp_path: Path) -> None:
    """The way of PyKdump's users, whose extension refuses a minimal session."""
    case = guest(DUMP)
    _, full = forms(DEBIAN)
    out = run(
        MINIMAL,
        [f"extend {full}", f"extend {PLUGIN}", "qemufix detect > /dev/null",
         "qemufix physbase --apply > /dev/null", f"extend {full}", "epython show first",
         "qemufix physbase --json > answer", "epython show second",
         "epython qemufix physbase --apply | tail -1",
         f"extend -u {PLUGIN}", "epython show third", "qemufix detect",
         "epython qemufix --register", "qemufix physbase --json > ours"],
        tmp_path,
    )  # fmt: skip
    assert "no commands registered" in out  # while the session was minimal
    assert "another interpreter was there before" not in out
    for word in ("first", "second", "third"):
        assert f"alive {word} False False" in out
    assert "already: nothing to change" in out
    for answer in ("answer", "ours"):
        assert phys_base(tmp_path / answer) == case.phys_base, out


@pytest.mark.usefixtures("programs")
def test_its_program_starts_crash_again(stale: StaleCopy, forms: Forms, tmp_path: Path) -> None:
    """What was printed until then shows, though PyKdump collects it to print it later."""
    _, full = forms(DEBIAN)
    argv = stale.case.argv("-s", *stale.wrong)
    commands = [f"extend {full}", "epython qemufix physbase --apply", "extend > loaded",
                "help -m > translation", "epython show last"]  # fmt: skip
    env = environment(PYKDUMPPATH=str(tmp_path / "programs"))
    out = run_crash(argv, commands, cwd=tmp_path, env=env).out
    assert out.count("Starting crash again") == 1
    assert "kernel found" in out
    right = int(stale.case.phys_base, 16)
    assert f" phys_base: {right:x}\n" in (tmp_path / "translation").read_text()
    loaded = (tmp_path / "loaded").read_text()
    assert full in loaded
    assert "qemufix.so" in loaded
    assert "alive last" in out
