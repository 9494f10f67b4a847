# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel whose kallsyms has functions alone, opened in crash without any debug package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.crash import program
from lab.guests import DUMPS
from tests.cli.test_cli import qemufix
from tests.session.crash_driver import run_crash

pytestmark = [pytest.mark.crash, pytest.mark.lab, pytest.mark.arch]
#: QEMU's VMCOREINFO is in it: nothing but the vmlinux has to be told.
DUMP = DUMPS / "arm64-vmcoreinfo.kdump"
COMMANDS = (
    "sys", "ps", "bt", "mod", "irq", "runq", "timer", "kmem -i", "kmem -s", "swap", "mount", "net",
    "dev", "sys -c", "sig", "ipcs", "files",
)  # fmt: skip
#: An emulated session takes a minute.
_LIMIT = 900


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a session on the made vmlinux prints."""
    crash = program("aarch64")
    if crash is None:
        pytest.skip("there is no arm64 crash (make root-arm64)")
    if not DUMP.exists():
        pytest.skip("no lab dump (make sample-dumps)")
    folder = tmp_path_factory.mktemp("made")
    vmlinux = folder / "vmlinux"
    made = qemufix("vmlinux", DUMP, "-o", vmlinux, "--old-crash")
    assert made.returncode == 0, made.stderr
    assert "functions alone in kallsyms" in made.stdout
    lines = [line for each in COMMANDS for line in (f"!echo '=== {each}'", each)]
    argv = [crash, "--no_crashrc", "-s", str(vmlinux), str(DUMP)]
    return run_crash(argv, [*lines, "quit"], cwd=Path(folder), timeout=_LIMIT).out


def part(said: str, command: str) -> str:
    return said.partition(f"=== {command}\n")[2].partition("\n=== ")[0]


def test_every_command_prints(said: str) -> None:
    assert "cannot resolve" not in said
    assert "inconsistency" not in said
    assert [command for command in COMMANDS if not part(said, command).strip()] == []


def test_the_guest_is_the_guest(said: str) -> None:
    tasks = re.search(r"TASKS: (\d+)", part(said, "sys"))
    assert tasks is not None
    assert int(tasks[1]) > 30
    assert "RELEASE: 6.1.0-" in part(said, "sys")
    assert "1970" not in part(said, "sys")
    assert "init" in part(said, "ps")
    assert "start_kernel" in part(said, "bt")
    assert "virtio_ring" in part(said, "mod")
    assert '"arch_timer"' in part(said, "irq")
    assert "process_timeout" in part(said, "timer")
    assert "proc      /proc" in part(said, "mount")
    assert "lo" in part(said, "net")
    assert "mem" in part(said, "dev")
    assert re.search(r"sys_io_setup", part(said, "sys -c"))
    share = re.search(r"CACHED +(\d+)", part(said, "kmem -i"))
    assert share is not None
