# SPDX-License-Identifier: GPL-3.0-or-later
"""Ubuntu's kernels, found and opened in this machine's crash without any debug package.

What crash shows of a kernel newer than itself is little, whatever vmlinux it is given: a session
that comes up in full is asked of 24.04's kernel alone, for what it is right about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.guests import DUMPS
from lab.scenarios import SCENARIOS
from tests.cli.test_cli import qemufix
from tests.session.crash_driver import run_crash

pytestmark = [pytest.mark.lab, pytest.mark.arch]
GUESTS = [scenario.name for scenario in SCENARIOS if scenario.group == "ubuntu"]


def _dump(name: str) -> Path:
    path = DUMPS / f"{name}.kdump"
    if not path.exists():
        pytest.skip(f"no {path.name} (UBUNTU_MIRROR=URL python3 -m lab dumps --group ubuntu)")
    return path


def _truth(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((DUMPS / f"{name}.json").read_text())
    return facts


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A vmlinux of each guest that is there."""
    folder = tmp_path_factory.mktemp("made")
    for name in GUESTS:
        if (DUMPS / f"{name}.kdump").exists():
            done = qemufix("vmlinux", _dump(name), "-o", folder / name)
            assert done.returncode == 0, done.stderr
    return {name: folder / name for name in GUESTS}


@pytest.mark.parametrize("name", GUESTS)
def test_the_answer_is_what_the_guest_said(name: str) -> None:
    dump, truth = _dump(name), _truth(name)
    answer = json.loads(qemufix("physbase", dump, "--json").stdout)
    fields = ("phys_base", "text_vaddr", "text_paddr", "release", "build_id")
    assert {f: answer[f] for f in fields} == {f: truth[f] for f in fields}
    # Its linux_banner says more than its linux_proc_banner, which the guest has told.
    assert answer["banner"].startswith(truth["banner"])
    assert answer["confidence"] == "certain"
    package = f"linux-image-unsigned-{truth['release']}-dbgsym"
    assert answer["debug_install"] == [f"apt install {package}"]


@pytest.mark.crash
@pytest.mark.parametrize("name", GUESTS)
def test_its_log_is_read_on_the_made_vmlinux(
    name: str, made: Mapping[str, Path], tmp_path: Path
) -> None:
    dump, truth = _dump(name), _truth(name)
    args = json.loads(qemufix("physbase", dump, "--json").stdout)["crash_args"]
    argv = ["crash", "--minimal", "--no_crashrc", *args, str(made[name]), str(dump)]
    run_crash(argv, ["log > log", "sym linux_banner > sym", "quit"], cwd=tmp_path)
    log = (tmp_path / "log").read_text()
    assert truth["banner"] in log
    assert "TERM=linux" in log  # the last line before the guest's init
    assert "linux_banner" in (tmp_path / "sym").read_text()


@pytest.mark.crash
def test_a_full_session_on_the_made_vmlinux(made: Mapping[str, Path], tmp_path: Path) -> None:
    dump, truth = _dump("ubuntu"), _truth("ubuntu")
    args = json.loads(qemufix("physbase", dump, "--json").stdout)["crash_args"]
    argv = ["crash", "--no_crashrc", "-s", *args, str(made["ubuntu"]), str(dump)]
    run_crash(argv, ["sys > sys", "files 1 > files", "kmem -i > kmem", "quit"], cwd=tmp_path)
    said = (tmp_path / "sys").read_text()
    assert f"RELEASE: {truth['release']}" in said
    assert "1970" not in said
    tasks = re.search(r"TASKS: (\d+)", said)
    assert tasks is not None
    assert int(tasks[1]) > 30
    assert "/dev/console" in (tmp_path / "files").read_text()
    memory = re.search(r"TOTAL MEM +\d+ +([\d.]+) MB", (tmp_path / "kmem").read_text())
    assert memory is not None
    assert 900 < float(memory[1]) < 1024
