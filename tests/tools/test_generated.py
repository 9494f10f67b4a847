# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made from the commands is current, sound, and free of what a terminal obeys."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import crashext
from tests.cli.test_cli import ROOT, qemufix
from tools.generated.__main__ import generated, outdated
from tools.generated.tree import Command, commands

PAGES = sorted((ROOT / "docs" / "man").glob("*.1"))
TREE = commands()


def test_it_is_current() -> None:
    assert outdated() == [], "make generated"


def test_it_would_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashext, "__version__", "0")
    monkeypatch.setattr("tools.generated.man.__version__", "0")
    assert set(outdated()) == {str(path.relative_to(ROOT)) for path in PAGES}
    assert len(generated()) == len(PAGES) + 4


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
@pytest.mark.parametrize("checker", ["man", "mandoc"])
def test_the_pages_are_sound(page: Path, checker: str) -> None:
    if not shutil.which(checker):
        pytest.skip(f"{checker} is not installed")
    lint = {
        "man": ["man", "--warnings", "--encoding=UTF-8", "-l", str(page)],
        "mandoc": ["mandoc", "-Tlint", "-Wwarning", str(page)],
    }
    done = subprocess.run(lint[checker], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    if checker == "mandoc":
        assert done.stdout == ""


@pytest.mark.parametrize("command", TREE, ids=lambda c: c.name)
def test_a_page_says_what_help_says(command: Command) -> None:
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    page = ROOT / "docs" / "man" / f"{command.name}.1"
    shown = subprocess.run(
        ["man", "--encoding=UTF-8", "--no-hyphenation", "--no-justification", "-l", str(page)],
        capture_output=True, text=True, check=True,
        env={"MANWIDTH": "200", "PATH": "/usr/bin:/bin"},
    ).stdout  # fmt: skip
    shown = " ".join(re.sub(".\b", "", shown).split())
    if not command.words:
        for each in TREE[1:]:
            assert f"{each.name}(1)" in shown and f"qemufix {' '.join(each.words)} " in shown
        return
    for paragraph in command.paragraphs:
        assert " ".join(paragraph.removeprefix("\b\n").split()) in shown
    for option in command.options:
        assert " ".join((*", ".join(option.names).split(), option.metavar)).strip() in shown
        assert " ".join(option.help.split()) in shown


@pytest.mark.parametrize("command", TREE, ids=lambda c: c.name)
def test_help_holds_no_control_characters(command: Command) -> None:
    """And click, of whichever version, has a paragraph of its own for each mark of its own."""
    said = qemufix(*command.words, "--help").stdout
    assert "Usage: qemufix" in said and re.findall(r"[^\n -\x7e]", said) == []
    assert all(paragraph.find("\b") <= 0 for paragraph in command.paragraphs)
