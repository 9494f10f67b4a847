# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that go on from a report, each ready to be pasted."""

from __future__ import annotations

from typing import NamedTuple

from ..result import Report
from .words import shown, word


class Command(NamedTuple):
    """What it is for, and the line for a shell."""

    purpose: str
    line: str


def commands_of(report: Report) -> list[Command]:
    """The likeliest first."""
    where = report.location
    dump = word(where.path)
    if report.in_crash or not where.found:
        first = Command("Go on from here", " ".join(map(word, report.command)))
        rest = [] if report.in_crash else [Command("Who wrote it", f"qemufix detect {dump}")]
        return [first, *rest]
    install = [Command("Install the debug package", shown(line)) for line in where.debug_install]
    words = ("crash", *where.crash_args, "vmlinux", where.path)
    by_hand = Command("Start crash by hand, with the vmlinux of that package",
                      " ".join(map(word, words)))  # fmt: skip
    return [
        Command("Open it in crash", f"qemufix crash {dump}"),
        Command("Open it in drgn", f"qemufix drgn {dump}"),
        Command("Open it in gdb", f"qemufix gdb {dump}"),
        Command("Make the file right for every tool; --undo puts it back",
                f"qemufix repair {dump} --in-place"),
        Command("The whole log, with the time of day", f"qemufix dmesg -T {dump}"),
        Command("Make a vmlinux from the dump itself", f"qemufix vmlinux {dump} -o vmlinux"),
        *install,
        *([by_hand] if where.crash_args else []),
    ]  # fmt: skip
