# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin in sessions on a vmlinux made from the dump: as on the debug package's."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.cli.test_cli import qemufix

from .crash_driver import PLUGIN, Guest, guest, outputs

pytestmark = [pytest.mark.crash, pytest.mark.lab]

COMMANDS = ["sys", "ps", "mod", "kmem -i", "bt -a", "log", "irq", "net", "dev", "runq", "mach"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    """A guest with the vmlinux made of its dump in place of the real one."""
    case = guest("ovmf-kaslr.elf")
    vmlinux = tmp_path_factory.mktemp("made") / "vmlinux"
    done = qemufix("vmlinux", case.dump, "-o", vmlinux)
    assert done.returncode == 0, done.stderr
    return dataclasses.replace(case, vmlinux=vmlinux)


def test_a_minimal_session_put_right_is_as_one_that_was_right(made: Guest, tmp_path: Path) -> None:
    right, applied = tmp_path / "right", tmp_path / "applied"
    for folder in (right, applied):
        folder.mkdir()
    _, wanted = outputs(made.argv("-s", *made.right), [f"extend {PLUGIN}"], COMMANDS, right)
    apply = [f"extend {PLUGIN}", "qemufix physbase --apply"]
    said, found = outputs(made.argv("-s", "--minimal"), apply, COMMANDS, applied)
    assert "Done: this is a full session now." in said
    assert f"RELEASE: {made.truth['release']}" in found["sys"]
    assert found == wanted


def test_detect_and_physbase_answer(made: Guest, tmp_path: Path) -> None:
    commands = ["qemufix detect --json", "qemufix physbase --json"]
    _, said = outputs(made.argv("-s", *made.right), [f"extend {PLUGIN}"], commands, tmp_path)
    assert json.loads(said[commands[0]])["origin"] == "qemu"
    answer = json.loads(said[commands[1]])
    assert (answer["found"], answer["vmlinux_fits"]) == (True, True)
    assert answer["kaslr_offset"] == made.kaslr_offset
