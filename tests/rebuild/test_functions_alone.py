# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel whose kallsyms has functions alone, opened in crash without any debug package."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
def said(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What a session on the made vmlinux prints, by command; all else by no name."""
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
    lines = [f"{command} > {number}.out" for number, command in enumerate(COMMANDS)]
    argv = [crash, "--no_crashrc", "-s", str(vmlinux), str(DUMP)]
    done = run_crash(argv, [*lines, "quit"], cwd=folder, timeout=_LIMIT)
    assert (folder / f"{len(COMMANDS) - 1}.out").exists(), done.out[-2000:]
    files = {c: (folder / f"{n}.out").read_text() for n, c in enumerate(COMMANDS)}
    return {"": done.out, **files}


def test_every_command_prints(said: Mapping[str, str]) -> None:
    together = "".join(said.values())
    assert "cannot resolve" not in together
    assert "inconsistency" not in together
    assert [command for command in COMMANDS if not said[command].strip()] == []


def test_the_guest_is_the_guest(said: Mapping[str, str]) -> None:
    tasks = re.search(r"TASKS: (\d+)", said["sys"])
    assert tasks is not None
    assert int(tasks[1]) > 30
    assert "RELEASE: 6.1.0-" in said["sys"]
    assert "1970" not in said["sys"]
    assert "init" in said["ps"]
    assert "start_kernel" in said["bt"]
    assert "virtio_ring" in said["mod"]
    assert '"arch_timer"' in said["irq"]
    assert "process_timeout" in said["timer"]
    assert "proc      /proc" in said["mount"]
    assert "lo" in said["net"]
    assert "mem" in said["dev"]
    assert re.search(r"sys_io_setup", said["sys -c"])
    share = re.search(r"CACHED +(\d+)", said["kmem -i"])
    assert share is not None
