# SPDX-License-Identifier: GPL-3.0-or-later
"""gdb on an ELF core, with the kernel's symbols where the guest had them."""

from __future__ import annotations

import re
import shutil

from .case import Case, Outcome, Values, asked, line_of

TOOL = "gdb"
_STRING = re.compile(r'^\S+(?: <\S+>)?:\s+"(.*?)(?:\\n)?"$', re.MULTILINE)


def ask(case: Case) -> Outcome:
    """The banner and the release through their virtual addresses, and that threads are vCPUs."""
    if case.format != "elf":
        return Outcome(TOOL, None, problem="gdb reads no kdump")
    program = shutil.which("gdb-multiarch") or (case.arch == "x86_64" and shutil.which("gdb"))
    if not program:
        return Outcome(TOOL, None, problem="no gdb of that architecture here")
    commands = [
        "set print elements 512", f"core-file {case.dump}",
        f"symbol-file -o {case.kaslr_offset:#x} {case.vmlinux}",
        f"x/s {case.banner_vaddr:#x}", "x/s &init_uts_ns.name.release", "info threads",
    ]  # fmt: skip
    argv = [program, "-nx", "-batch", *(word for c in commands for word in ("-ex", c))]
    done = asked(argv, seconds=200)
    strings = _STRING.findall(done.out)
    if len(strings) != 2:
        return Outcome(TOOL, False, problem=_why(done.out + done.err))
    threads = len(re.findall(r"^\*? +\d+ +", done.out, re.MULTILINE))
    values = Values(release=strings[1], banner=strings[0])
    wrong = f"{threads} threads, not {case.truth['vcpus']}"
    return Outcome(TOOL, True, values, None if threads == case.truth["vcpus"] else wrong)


def _why(errors: str) -> str:
    memory = re.search(r"Cannot access memory at address \w+", errors)
    return line_of(re.sub("0x[0-9a-f]+", "...", memory[0]) if memory else errors)
