# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows: colour where it is wanted, names as they are, every check explained."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crashext import open_dump
from crashext.detect import detect
from crashext.detect.meaning import MEANINGS
from crashext.locate import locate
from crashext.locate.meaning import WAYS, meaning_of_check
from tests.cli.test_cli import SAMPLE, TRUTHS, VMLINUX, qemufix

COLOUR = "\x1b["


def on_terminal(*args: object, **variables: str) -> str:
    """What a command line prints on a terminal of its own."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | variables
    command = [sys.executable, "-m", "crashext", *map(str, args)]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = bytearray()
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            shown += part
            if not part:
                break
        assert process.wait() == 0
    os.close(ours)
    return shown.decode()


def test_colour_on_a_terminal_alone() -> None:
    command = ("physbase", SAMPLE, "--vmlinux", VMLINUX)
    coloured = on_terminal(*command, TERM="xterm")
    assert f"{COLOUR}32mkernel found" in coloured and f"{COLOUR}1mNext:" in coloured
    assert COLOUR not in on_terminal(*command, TERM="xterm", NO_COLOR="1")
    assert COLOUR not in on_terminal(*command, TERM="dumb")
    assert COLOUR not in qemufix(*command).stdout


def test_json_has_no_colour_on_a_terminal() -> None:
    assert COLOUR not in on_terminal("detect", "--json", SAMPLE, TERM="xterm")


@pytest.mark.parametrize("name", ["größe.elf", "模擬.elf"])
def test_a_file_name_is_shown_as_it_is_in_a_utf8_locale(name: str, tmp_path: Path) -> None:
    path = shutil.copy(SAMPLE, tmp_path / name)
    assert name in on_terminal("detect", path, LC_ALL="C.UTF-8").splitlines()[0]
    assert name not in on_terminal("detect", path, LC_ALL="C").splitlines()[0]


def test_what_turns_text_round_is_escaped_everywhere(tmp_path: Path) -> None:
    path = shutil.copy(SAMPLE, tmp_path / "a\u202eb\x9bc.elf")
    shown = on_terminal("detect", path, LC_ALL="C.UTF-8")
    assert "a\\xe2\\x80\\xaeb\\xc2\\x9bc.elf" in shown


def test_explain_tells_what_was_tried_and_what_bears_it_out() -> None:
    shown = qemufix("physbase", "--explain", SAMPLE, "--vmlinux", VMLINUX).stdout
    lines = shown.splitlines()
    assert any(line.startswith("  2. page-tables: ") for line in lines)
    assert any(line.startswith("  + linux_banner: ") for line in lines)
    assert "Verdict: certain" in shown
    short = qemufix("physbase", SAMPLE, "--vmlinux", VMLINUX).stdout.splitlines()
    assert [line for line in short if line not in lines] == []
    assert len(short) < 12


def test_the_next_command_is_the_one_to_paste() -> None:
    shown = qemufix("physbase", SAMPLE, "--vmlinux", VMLINUX).stdout.splitlines()
    assert shown[-1] == f"Next: qemufix crash {SAMPLE} --vmlinux {VMLINUX}"


def test_help_has_no_control_characters() -> None:
    for args in (["--help"], ["physbase", "--help"], ["crash", "--help"]):
        assert qemufix(*args).stdout.replace("\n", "").isprintable()


@pytest.mark.parametrize("path", TRUTHS, ids=lambda p: p.name)
def test_every_check_and_way_has_a_meaning(path: Path) -> None:
    with open_dump(path) as dump:
        origin, answer = detect(dump), locate(dump, everything=True)
    assert [e.name for e in origin.evidence if not MEANINGS.get(e.name)] == []
    assert [e.name for e in answer.evidence if not meaning_of_check(e.name, answer.arch)] == []
    assert [step.way for step in answer.steps if step.way not in WAYS] == []
    if answer.found:
        assert answer.steps


def test_raw_memory_is_told_about_the_option_for_it(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    path.write_bytes(b"\x01" * 8192)
    assert "--format raw" in qemufix("detect", path).stderr
    path.write_bytes(b"\x01" * 8000)
    assert "--format raw" not in qemufix("detect", path).stderr


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"KDU", "a kdump file"), (b"\x7fE", "an ELF file"), (b"makedumpf", "a flattened dump"),
        (b"\xfd7zX", "an xz file"), (b"QE", "a migration stream"), (b"\x1f\x8b\x08", "gzip"),
        (b"\xfd7zXZ\x00\x00\x04", "xz"),
    ],
)  # fmt: skip
def test_a_container_cut_off_early_is_named(start: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(start)
    done = qemufix("detect", path)
    assert done.returncode == 3
    assert name in done.stderr and done.stderr.count("\n") == 1
