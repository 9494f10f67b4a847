# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that was put right can't be told from one that was started right.

Left out of the comparison, with the reason:
- ``mount``: in sessions started right, too, it had no end on these dumps after 9 minutes.
- ``extend``: only the one session has the plugin loaded.
- ``help -m``, ``-p``, ``-t``, ``-v``, ``-D`` are compared without what differs between
  any two sessions: crash's own heap addresses, its pid, and the options it was given.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crashext import open_dump
from crashext.symbols.vmlinux import Vmlinux

from .crash_driver import NEVER_RAN, OPENED, PLUGIN, Guest, guest, outputs

pytestmark = [pytest.mark.crash, pytest.mark.lab]

#: For every case.
COMMANDS = """
sys; kmem -i; kmem -s; mod; bt -a; ps; log; mach; irq; timer; runq; net; dev; files
sym linux_banner; struct task_struct.pid,comm,stack init_task; p jiffies
p init_uts_ns; p __per_cpu_offset
rd linux_banner 16; dis -l schedule; list task_struct.tasks -h init_task; foreach bt; help -m
gdb bt; gdb info registers; gdb info threads; set; set -p; bt -f; bt -e; set -c 0; gdb bt 1
"""
#: For these in addition.
LONG = ("ovmf-kaslr.elf", "ovmf-la57.elf", OPENED)
MORE = """
kmem -v; kmem -n; kmem -o; bt 0; bt -t; ps -a; ps -t; ps -l; mach -m; mach -c; irq -s; irq -d
dev -i; dev -d; vm; task 0; sym schedule; sym -l; p runqueues:a; rd -a linux_banner
dis -r schedule; swap
waitq init_task; ipcs; ptov 1000000; fuser /; gdb info line schedule; gdb print init_task.comm
help -k; help -o; help -t; help -v
"""
#: crash's own heap, its pid and its options: other in every session.
_OWN = re.compile(
    r"0?x?5555[5-9a-f][0-9a-f]{7,8}|^ *program_pid:.*|^ *cmdline_args\[\d\]:.*|7fff[0-9a-f]{8}"
    r"|(?<=> )/\S+\.out$",  # where this command's output goes, in what gdb says of a failure
    re.M,
)
_MAP = 0xFFFFFFFF80000000


def session_addresses(case: Guest) -> dict[str, int]:
    """An address of each kind, from the dump and the guest's truth alone."""
    phys_base, offset = int(case.phys_base, 16), int(case.kaslr_offset, 16)
    with Vmlinux(str(case.vmlinux)) as vmlinux, open_dump(str(case.dump)) as dump:

        def symbol(name: str) -> int:
            value = vmlinux.symbol(name)
            assert value is not None
            return value + offset

        def variable(name: str) -> int:
            paddr = (symbol(name) - _MAP + phys_base) % (1 << 64)
            return int.from_bytes(dump.read(paddr, 8), "little")

        return {
            "text": symbol("_text"),
            "data": symbol("jiffies_64"),
            "direct map": variable("page_offset_base") + 0x100000,
            "vmalloc": variable("vmalloc_base"),
            "vmemmap": variable("vmemmap_base"),
        }


def commands_for(case: Guest) -> list[str]:
    text = COMMANDS + (MORE if case.dump.name in LONG else "")
    listed = [c.strip() for line in text.split("\n") if line for c in line.split(";")]
    listed += module_commands(case)
    return listed + [f"vtop {address:x}" for address in session_addresses(case).values()]


def module_commands(case: Guest) -> list[str]:
    """Loads a module's symbols, where the lab keeps the module."""
    folder = case.vmlinux.parent / case.vmlinux.name.replace("vmlinux", "modules")
    module = folder / "qemu_fw_cfg.ko"
    if not module.exists():
        return []
    return [f"mod -s qemu_fw_cfg {module}", "sym -m qemu_fw_cfg", "sym fw_cfg_read_blob"]


def comparable(text: str) -> str:
    return _OWN.sub("OWN", text)


def last_words(said: str) -> str:
    """What crash said of the stage that failed."""
    return next((line for line in said.splitlines() if "stage " in line), "")


def right_session(case: Guest, commands: list[str], folder: Path) -> dict[str, str]:
    """Its outputs; NEVER_RAN where crash does not come up, as 8.0.2 on Linux 6.12."""
    folder.mkdir()
    try:
        return outputs(case.argv("-s", *case.right), [], commands, folder)[1]
    except subprocess.TimeoutExpired:
        return dict.fromkeys(commands, NEVER_RAN)


def compare(case: Guest, wrong: list[str], tmp_path: Path, before: Sequence[str] = ()) -> None:
    """One session started right, one with ``wrong`` options and then applied, after ``before``."""
    commands = commands_for(case)
    folder = tmp_path / "applied"
    folder.mkdir()
    first = [f"extend {PLUGIN}", *before, "qemufix physbase --apply", "help -m > translation"]
    with ThreadPoolExecutor() as both:
        started_right = both.submit(right_session, case, commands, tmp_path / "right")
        said, applied = outputs(case.argv("-s", *wrong), first, commands, folder)
    right = started_right.result()
    if NEVER_RAN in right.values():
        assert case.dump.name != OPENED, right
        assert "nothing was changed; the session is as it was" in said
        pytest.skip(f"this crash does not open {case.dump.name} itself: {last_words(said)}")
    translation = (folder / "translation").read_text()
    assert f" phys_base: {int(case.phys_base, 16):x}\n" in translation, said
    assert len(commands) >= 20
    assert "SYSTEM" in right["mach"] or "MACHINE TYPE" in right["mach"]
    for command in commands[-len(session_addresses(case)) :]:
        assert "PHYSICAL" in right[command], (command, right[command])
    differing = [c for c in commands if comparable(right[c]) != comparable(applied[c])]
    assert not differing, {c: (right[c], applied[c]) for c in differing}


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("ovmf-nokaslr.elf", "0"),  # (a) minimal, wrong phys_base, symbols stay
        ("ovmf-nokaslr.kdump", "0"),
        ("ovmf-kaslr.elf", "0"),  # (b) minimal, symbols move too
        ("ovmf-kaslr.kdump", "0x1000000"),  # from another wrong place
        ("ovmf-la57.elf", "0"),  # 5-level page tables
        ("ovmf-4cpu.kdump", "0"),
        (OPENED, "0"),  # several stacks of one task, so several threads of crash 9's gdb
        ("newer-kernel.elf", "0"),  # another series of kernels
    ],
)
def test_minimal_session_put_right(name: str, offset: str, tmp_path: Path) -> None:
    wrong = ["--minimal", f"--kaslr={offset}", "--machdep", "phys_base=0"]
    compare(guest(name), wrong, tmp_path)
