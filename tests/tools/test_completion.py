# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion as a user meets it: bash, zsh and fish on a terminal, with the Tab key.

``qemufix`` is a function there that shows its arguments, so what was completed is what it gets.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.cli.test_cli import ROOT
from tools.generated.tree import Command, commands

FOLDER = ROOT / "completion"
TREE = commands()
PATIENCE = 20.0  # seconds, on a busy machine
SETTLED = 0.4  # seconds without output: the shell waits for a key

#: How each is started without anybody's settings, and told to complete.
SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        f"PS1=; bind 'set enable-bracketed-paste off'; source {FOLDER}/bash/qemufix; "
        'qemufix() { printf "GOT:"; printf "<%s>" "$@"; echo; }; echo REA"DY"',
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"PS1=; unsetopt zle_bracketed_paste prompt_sp 2>/dev/null; fpath=({FOLDER}/zsh $fpath); "
        "autoload -Uz compinit; compinit -u -D; "
        'qemufix() { printf "GOT:"; printf "<%s>" "$@"; echo; }; echo REA"DY"',
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        f"function fish_prompt; end; source {FOLDER}/fish/qemufix.fish; "
        'function qemufix; printf "GOT:"; printf "<%s>" $argv; echo; end; echo REA"DY"',
    ),
}


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        command, setup = SHELLS[name]
        home = folder / "home"
        home.mkdir()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            env = {
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "TERM": "dumb",
                "LC_ALL": "C.UTF-8",
            }
            os.execvpe(command[0], command, env)
        self.read()
        os.write(self.fd, setup.encode() + b"\r")
        self.until("READY")

    def read(self) -> str:
        """What is shown until nothing comes for a while."""
        said = b""
        while select.select([self.fd], [], [], SETTLED)[0]:
            with suppress(OSError):
                said += os.read(self.fd, 1 << 16)
        return said.decode(errors="replace")

    def until(self, word: str) -> str:
        said, end = "", time.monotonic() + PATIENCE
        while word not in said:
            assert time.monotonic() < end, said
            said += self.read()
        return said

    def given(self, *keys: str) -> list[str]:
        """The arguments that the command gets, of keys that are struck with pauses."""
        for key in keys:
            os.write(self.fd, key.encode())
            self.read()
        os.write(self.fd, b"\r")
        found = re.findall(r"GOT:((?:<[^>]*>)+)", self.until("GOT:"))
        return re.findall("<([^>]*)>", found[-1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    for name in ("guest one.kdump", "vmlinux-6.1"):
        (tmp_path / name).touch()
    with Terminal(request.param, tmp_path) as terminal:
        yield terminal


def test_tab_on_a_terminal(terminal: Terminal) -> None:
    assert terminal.given("qemufix phys", "\t") == ["physbase"]
    assert terminal.given("qemufix detect gue", "\t") == ["detect", "guest one.kdump"]
    assert terminal.given("qemufix physbase --vml", "\t", "vmli", "\t") == [
        "physbase", "--vmlinux", "vmlinux-6.1",
    ] or terminal.given("qemufix physbase --vmlinux vmli", "\t") == [
        "physbase", "--vmlinux", "vmlinux-6.1",
    ]  # fmt: skip
    assert terminal.given("qemufix repair --to kd", "\t") == ["repair", "--to", "kdump"]
    assert terminal.given("qemufix crash --kernel li", "\t") == ["crash", "--kernel", "live"]
    assert terminal.given("qemufix cache cl", "\t", "--old", "\t", "3")[:2] == ["cache", "clean"]


def offered(shell: str, words: list[str]) -> set[str]:
    """What is offered for the last of the words, asked of the completion function itself."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    if shell == "bash":
        quoted = " ".join(f"'{word}'" for word in words)
        script = (
            f"compopt() {{ :; }}; source {FOLDER}/bash/qemufix; COMP_WORDS=({quoted}); "
            f"COMP_CWORD={len(words) - 1}; _qemufix; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        command = ["bash", "-c", script]
    else:
        script = f"source {FOLDER}/fish/qemufix.fish; complete -C '{' '.join(words)}'"
        command = ["fish", "--no-config", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize("command", TREE, ids=lambda c: c.name)
def test_every_option_is_offered(shell: str, command: Command) -> None:
    names = {name for option in command.options for name in option.names if name[:2] == "--"}
    found = offered(shell, ["qemufix", *command.words, "--"])
    assert {name for name in found if name[:2] == "--"} == names
    for option in command.options:
        if option.words:
            words = offered(shell, ["qemufix", *command.words, option.names[-1], ""])
            assert set(option.words) <= words


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_every_command_is_offered(shell: str) -> None:
    assert offered(shell, ["qemufix", ""]) == set(TREE[0].below)
    assert "clean" in offered(shell, ["qemufix", "cache", ""])


def test_a_dump_that_is_called_as_a_command() -> None:
    found = offered("bash", ["qemufix", "repair", "detect", "--"])
    assert "--in-place" in found and "--undo" in found


@pytest.mark.parametrize("option", ["--to", "--to="])
def test_a_value_behind_an_equals_sign(option: str) -> None:
    words = ["--to", "="] if option[-1] == "=" else ["--to", "=", "k"]
    assert offered("bash", ["qemufix", "repair", *words]) >= {"kdump"}


def test_zsh_takes_the_script() -> None:
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    done = subprocess.run(
        ["zsh", "-f", "-n", str(FOLDER / "zsh" / "_qemufix")], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_tab_takes_no_time() -> None:
    """No program is started: a hundred completions are done in the time of a few Pythons."""
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    script = (
        f"compopt() {{ :; }}; source {FOLDER}/bash/qemufix; COMP_WORDS=(qemufix repair --); "
        "COMP_CWORD=2; for ((i = 0; i < 100; i++)); do _qemufix; done"
    )
    started = time.monotonic()
    subprocess.run(["bash", "-c", script], check=True, env={"PATH": ""}, executable="/bin/bash")
    assert time.monotonic() - started < 3
