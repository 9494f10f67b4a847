# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces of the writer in the ELF notes, whatever the container."""

from __future__ import annotations

import struct
from itertools import pairwise

from ..dumps.base import Dump, Note
from ..notes import REPAIR_NOTE, repair_facts
from .result import Evidence
from .verdict import NOBODY

NT_PRSTATUS = 1
#: Offset of pr_pid in elf_prstatus: 64-bit kernels, 32-bit kernels.
_PR_PID = {True: 32, False: 24}
#: Shortest elf_prstatus of a 64-bit architecture that QEMU dumps.
_PRSTATUS_64 = 336


def prstatus_notes(dump: Dump) -> list[Note]:
    """The NT_PRSTATUS notes, one per CPU that was saved."""
    return [n for n in dump.notes if n.type == NT_PRSTATUS and n.name == "CORE"]


def qemu_notes(dump: Dump) -> list[Note]:
    """QEMU's own CPU-state notes, which it writes for PC guests only (target/*/arch_dump.c)."""
    return [n for n in dump.notes if n.name == "QEMU" and n.type == 0]


def cpu_state(dump: Dump) -> Evidence | None:
    """Only QEMU writes notes of that name; makedumpfile keeps them when it filters."""
    notes = qemu_notes(dump)
    if not notes:
        return None
    sizes = sorted({len(n.desc) for n in notes})
    value = f"{len(notes)} named QEMU, {', '.join(map(str, sizes))} bytes"
    return Evidence("qemu_cpu_notes", value, "qemu", "decisive")


def note_order(dump: Dump) -> Evidence | None:
    """QEMU writes all CPUs' CORE notes, then all QEMU notes, then the guest's one."""
    names = list(dict.fromkeys(n.name for n in dump.notes if n.name not in ("LINUX", REPAIR_NOTE)))
    if names[:2] != ["CORE", "QEMU"] or len(qemu_notes(dump)) != len(prstatus_notes(dump)):
        return None
    written = [n.name for n in dump.notes if n.name != REPAIR_NOTE]
    runs = sum(a != b for a, b in pairwise(written)) + 1
    if runs != len(names):
        return None
    return Evidence("note_order", ", ".join(names), "qemu", "medium")


def pids(dump: Dump) -> Evidence | None:
    """QEMU numbers the CPUs 1..n in pr_pid; a kernel's own dump has its tasks' pids."""
    found = [_pr_pid(n, dump) for n in prstatus_notes(dump)]
    if not found or None in found:
        return None
    value = ", ".join(map(str, found[:8])) + (", ..." if len(found) > 8 else "")
    if found == list(range(1, len(found) + 1)):
        # One CPU that ran pid 1 may as well be init's panic.
        return Evidence("prstatus_pids", value, "qemu", "strong" if len(found) > 1 else "weak")
    if any(found):
        return Evidence("prstatus_pids", value, "kdump", "medium")
    return Evidence("prstatus_pids", value, NOBODY, "weak")


def _pr_pid(note: Note, dump: Dump) -> int | None:
    offset = _PR_PID[len(note.desc) >= _PRSTATUS_64]
    if len(note.desc) < offset + 4:
        return None
    order = "<" if dump.byte_order == "little" else ">"
    pid: int = struct.unpack_from(order + "I", note.desc, offset)[0]
    return pid


def crash_time(dump: Dump) -> Evidence | None:
    """CRASHTIME= is added by the kernel when it crashes, whoever dumps it afterwards."""
    if dump.vmcoreinfo is None:
        return None
    for line in dump.vmcoreinfo.splitlines():
        if line.startswith(b"CRASHTIME="):
            value = line[:80].decode("ascii", "replace")
            return Evidence("guest_had_crashed", value, NOBODY, "weak")
    return None


def erase_info(dump: Dump) -> Evidence | None:
    """The ERASEINFO note says what makedumpfile was told to wipe."""
    if not any(n.name == "ERASEINFO" for n in dump.notes):
        return None
    return Evidence("eraseinfo_note", "present", "makedumpfile", "decisive")


def repaired(dump: Dump) -> Evidence | None:
    """A repaired dump says who had written it; its headers are no longer that program's."""
    facts = repair_facts(dump.notes)
    if not facts:
        return None
    writer = facts.get("writer", "unknown")
    points_to = writer if writer in ("qemu", "makedumpfile", "kdump") else NOBODY
    return Evidence("repair_note", f"repaired, written by {writer}", points_to, "strong")


_CHECKS = (cpu_state, note_order, pids, crash_time, erase_info, repaired)


def evidence(dump: Dump) -> list[Evidence]:
    """What the notes tell."""
    return [found for check in _CHECKS if (found := check(dump)) is not None]
