# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of vmlinux files sees what differs, and excuses nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.same.commands import templates
from lab.same.compared import Compared, compared, counts, unlisted
from lab.same.differences import KINDS, differ_in, usual
from lab.same.gdb_commands import GDB_COMMANDS
from lab.same.listed import IN_CRASH, IN_DRGN, IN_GDB
from lab.same.page import START, Page
from lab.same.places import filled
from lab.same.rows import ROWS
from lab.same.tools import Found

DOC = Path(__file__).parents[2] / "docs" / "vmlinux-table.md"

#: By kind: what a debug vmlinux has, what a made one has, and what must not pass for that kind.
EXAMPLES = {
    "lines": (
        "ffffffff81000000 (T) schedule ../kernel/sched/core.c: 6654\n",
        "ffffffff81000000 (T) schedule \n",
        "ffffffff81000010 (T) schedule \n",
    ),
    "locals": (
        "Symbol tsk is a variable in $rbx\n, length 8.\nx\n",
        "x\n",
        "y\n",
    ),
    "dimensions": ("int x[2][3] = {{1, 2, 3}, {4, 5, 6}}", "int x[6] = {1, 2, 3, 4, 5, 6}",
                   "int x[6] = {1, 2, 3, 4, 5, 7}"),
    "empty arrays": ("u8 a[0];", "u8 a[];", "u8 a[1];"),
    "offsets": (
        "/* offset | size */  type = struct a {\n/* 0 | 4 */ struct b {\n/* 0 | 4 */ int c;\n"
        "  /* total size: 4 */ } d;\n/* 4 | 4 */ struct {\n/* 4 | 4 */ int e;\n};\n}\n",
        "type = struct a {\n    struct b d;\n    struct {...};\n}\n",
        "type = struct a {\n    struct c d;\n    struct {...};\n}\n",
    ),
    "symbols": (
        "ffffffff81000000 (r) __crc_panic\nffffffff81000004 (T) panic\n",
        "ffffffff81000004 (T) panic\n",
        "",
    ),
    "sections": (
        "ffffffff81000004 (T) _etext\n",
        "ffffffff81000004 (b) .gap\nffffffff81000004 (B) _etext\n",
        "ffffffff81000004 (b) .gap\nffffffff81000005 (B) _etext\n",
    ),
    "pid": ("struct upid numbers;", "struct upid numbers[1];", "struct upid number[1];"),
    "labels": ('"entry_SYSCALL_64"', '"entry_SYSCALL_64_after_hwframe"', '"entry"'),
    "sizes": (
        '[[16, null], [32, ["a", 20]], [48, ["b", 48]]]',
        '[[16, ["x", 8]], [32, ["label", 30]], [48, ["b", 48]]]',
        '[[16, ["x", 8]], [32, ["z", 10]], [48, ["b", 48]]]',
    ),
    "untyped": ("tk_core = 1", "p: gdb request failed: p tk_core", "tk_core = 2"),
    "lengths": ('a = 0x10 <a> "abc"', 'a = "abc"', 'a = "abd"'),
    "ends": ("a = 0x10 <init_mm+8>", "a = 0x10", "a = 0x18"),
    "aliases": (
        "(void *)__end_rodata+0x0 = 0x1000", "(void *)init_stack+0x0 = 0x1000",
        "(void *)init_stack+0x0 = 0x2000",
    ),
    "entries": (
        '18446664057410553288,\n""\n', '18446664057410553280,\n"[vdso]"\n',
        '18446664057410553264,\n"[vdso]"\n',
    ),
    "unwinding": (
        "  flags: 12502600\n  (SMP|DWARF_UNWIND_EH_FRAME|RELOC_SET)\n",
        "  flags: 12102600\n  (SMP|RELOC_SET)\n",
        "  flags: 12102601\n  (SMP|RELOC_SET)\n",
    ),
    "frame pointers": (
        '[[[16, "leaf", false]], [[32, "a", false], [48, "b", false]]]',
        '[[[16, "leaf", false], [20, "c", false]], [[32, "a", false]]]',
        '[[[17, "leaf", false]], [[32, "a", false]]]',
    ),
    "parts": ("16,\nnull,\n32", "16,\n24,\n32", "16,\n24,\n40"),
    "inlined": (
        "* 1    LWP 1   csd_lock_wait (csd=0x10) at smp.c:355\n",
        "* 1    LWP 1   0x20 in smp_call ()\n",
        "* 1    LWP 2   0x20 in smp_call ()\n",
    ),
    "debug information": ("Producer: gcc", "Producer: qemufix", ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_told_from_other_differences(kind: str) -> None:
    debug, made, other = EXAMPLES[kind]
    assert debug != made
    assert differ_in([kind], debug, made)
    assert not differ_in([kind], debug, other)
    assert not differ_in([], debug, made)


def one(debug: str, made: str, *kinds: str) -> Compared:
    return Compared("sym x", "sym x", debug, made, kinds)


def test_verdicts() -> None:
    assert one("a", "a").verdict == "same"
    assert one("sym: invalid address: 0\n", "sym: invalid address: 0\n").verdict == "refused"
    assert one("x a.c: 1", "x", "lines").verdict == "listed"
    assert one("x a.c: 1", "y", "lines").verdict == "other"
    assert one("x a.c: 1", "x").verdict == "other"


def test_a_lost_answer_differs() -> None:
    found = compared({"sys": "sys", "ps": "ps"}, {"sys": "a", "ps": "b"}, {"sys": "a"}, {})
    assert counts(found) == {"same": 1, "refused": 0, "listed": 0, "other": 1}
    assert [text.splitlines()[0] for text in unlisted(found)] == ["--- ps"]


def test_what_differs_between_sessions_is_left_out() -> None:
    assert usual("a = $12 = 0x555555f0a3c0") == usual("a = $3 = 0x555557aaaaa0")
    assert usual("a = 12") != usual("a = 13")


def test_templates_are_filled() -> None:
    values = {"task": "ff00", "pid": "1"}
    assert filled(["bt {task}", "ps {pid}"], values) == {"bt {task}": "bt ff00", "ps {pid}": "ps 1"}


def test_what_is_listed_is_asked() -> None:
    from lab.same.questions import QUESTIONS

    assert IN_CRASH.keys() <= set(templates())
    assert IN_DRGN.keys() <= QUESTIONS.keys()
    assert IN_GDB.keys() <= set(GDB_COMMANDS)
    assert {kind for each in (IN_CRASH, IN_DRGN, IN_GDB) for kinds in each.values()
            for kind in kinds} <= KINDS.keys()  # fmt: skip
    assert len(templates()) >= 196


def test_the_published_table_is_whole() -> None:
    page = Page.read(DOC)
    asked = {(line.tool.partition(" ")[0], line.guest) for line in page.lines.values()}
    assert {(row.tool, row.guest) for row in ROWS} <= asked
    assert [line for line in page.lines.values() if line.other] == []


def test_a_page_is_read_back(tmp_path: Path) -> None:
    place = tmp_path / "page.md"
    place.write_text("# Head\n\n")
    page = Page.read(place)
    found = Found([one("a", "a"), one("x a.c: 1", "x", "lines")])
    page.add("crash 8.0.2", "6.1", "guest", found)
    page.write(place)
    assert Page.read(place) == page
    assert page.details == {("crash 8.0.2", "guest", "lines"): "`sym x`"}
    assert place.read_text().startswith(f"# Head\n\n{START}")
