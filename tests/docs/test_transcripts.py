# SPDX-License-Identifier: GPL-3.0-or-later
"""Each transcript of docs/symptoms.md and quickstart.md is run: that is said, and helps."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.test_cli import ROOT

PAGE = ROOT / "docs" / "symptoms.md"
DUMPS = ROOT / "lab" / "dumps"
SECONDS = 300


class Transcript(NamedTuple):
    """A section's commands, each with the lines that its output has."""

    title: str
    crash: str
    steps: list[tuple[str, list[str]]]


def transcripts(page: Path) -> Iterator[Transcript]:
    for section in page.read_text().split("\n## ")[1:]:
        title = section.partition("\n")[0]
        if "```console" not in section:
            continue
        version = re.search(r"<!-- crash (\S+) -->", section)
        (block,) = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
        steps: list[tuple[str, list[str]]] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
        yield Transcript(title, version[1] if version else "", steps)


SYMPTOMS = list(transcripts(PAGE))
QUICK = list(transcripts(PAGE.with_name("quickstart.md")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where commands run: ``bin`` with qemufix as it is here, and the drgn that tests have."""
    programs = tmp_path / "bin"
    programs.mkdir()
    qemufix = programs / "qemufix"
    qemufix.write_text(f'#!/bin/sh\nexec {sys.executable} -m crashext "$@"\n')
    qemufix.chmod(0o755)
    drgn = shutil.which(Path(sys.executable).parent / "drgn")
    if drgn:
        (programs / "drgn").symlink_to(drgn)
    (tmp_path / "work").mkdir()
    return tmp_path


#: What a tool may say instead, where that hangs on the place that the guest's kernel drew by lot:
#: without registers crash takes other memory for the kernel's, and fails over what is there.
INSTEAD = {"crash: cannot set context for pid: -1": "crash: ..."}


def lay_out(transcript: Transcript, folder: Path) -> None:
    """Put the dumps that are named where the commands run, and the vmlinux of the first."""
    commands = " ".join(command for command, _ in transcript.steps)
    names = [name for name in re.findall(r"[\w.-]+", commands) if (DUMPS / name).is_file()]
    if not names:
        pytest.skip("no lab dumps (make sample-dumps)")
    for name in set(names):
        (folder / "work" / name).symlink_to((DUMPS / name).resolve())
    truth = json.loads((DUMPS / names[0]).with_suffix(".json").read_text())
    (folder / "work" / "vmlinux").symlink_to((DUMPS / truth["vmlinux"]).resolve())


def lacking(transcript: Transcript) -> str:
    """Why it can't be run here; "" if it can."""
    commands = [command for command, _ in transcript.steps]
    for tool in ("crash", "makedumpfile", "gdb"):
        if any(command.startswith(tool) for command in commands) and not shutil.which(tool):
            return f"{tool} is not installed"
    if any("drgn" in command for command in commands) and not importlib.util.find_spec("drgn"):
        return "drgn is not installed"
    if any("read.py" in command for command in commands):
        asked = ["/usr/bin/python3", "-c", "import kdumpfile"]
        if subprocess.run(asked, capture_output=True, check=False).returncode:
            return "python3-libkdumpfile is not installed"
    if transcript.crash:
        asked = ["crash", "--version"]
        env = {**os.environ, "TERM": "dumb"}
        said = subprocess.run(asked, capture_output=True, text=True, check=False, env=env).stdout
        if f"crash {transcript.crash}\n" not in said:
            return f"the words are those of crash {transcript.crash}"
    return ""


def said_by(command: str, folder: Path) -> str:
    env = {
        **os.environ, "TERM": "dumb", "HOME": str(folder), "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"), "PATH": f"{folder}/bin:/usr/bin:/bin:/usr/sbin",
    }  # fmt: skip
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder / "work", env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.stdout


def lines_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.replace("\r", "\n").splitlines()]


def has(text: str, line: str) -> bool:
    """Whether a line is in a text; ``...`` is anything, and spaces are as they come."""
    parts = [re.escape(part) for part in " ".join(line.split()).split("...")]
    return any(re.fullmatch(".*".join(parts), each) for each in lines_of(text))


@pytest.mark.lab
@pytest.mark.crash
@pytest.mark.parametrize("transcript", [*SYMPTOMS, *QUICK], ids=lambda t: t.title)
def test_the_tool_says_that_and_the_remedy_helps(transcript: Transcript, folder: Path) -> None:
    reason = lacking(transcript)
    if reason:
        pytest.skip(reason)
    lay_out(transcript, folder)
    for command, lines in transcript.steps:
        said = said_by(command, folder)
        missing = [
            line for line in lines if not (has(said, line) or has(said, INSTEAD.get(line, line)))
        ]
        assert missing == [], f"$ {command}\n{said}"


def test_what_isnt_said_is_noticed() -> None:
    assert has("a  b\r\nthe end", "a b") and has("x: at 0x12: y", "x: ... y")
    assert not has("a b c", "a b") and not has("", "a")


def test_each_symptom_of_the_table_is_in_a_transcript() -> None:
    table = re.findall(r"^\| `(.+?)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert len(table) == len(SYMPTOMS)
    for (symptom, tool), transcript in zip(table, SYMPTOMS, strict=True):
        shown = " ".join(line for _, lines in transcript.steps for line in lines)
        assert transcript.title.startswith(f"{tool}: ")
        assert " ".join(symptom.split()) in " ".join(shown.split())
