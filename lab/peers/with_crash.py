# SPDX-License-Identifier: GPL-3.0-or-later
"""crash, started as people start it: with a vmlinux and a dump, and no other option.

Its tasks are counted by the list that starts at ``init_task``, less that one. crash 8.0.2 takes
them from what hangs on ``struct pid``, whose ``numbers`` it does not know as kernels from 6.5 on,
and stable ones before, have it: there its ``ps`` has idle tasks alone, wherever the kernel is.
The lab's guests have no process of more than one thread.
"""

from __future__ import annotations

import re

from .. import crash
from .case import Case, Outcome, Values, asked, ends

TOOL = "crash"
#: An emulated session takes half a minute on an idle machine.
_SECONDS = 400
_COMMANDS = ("sys", "list -h init_task -o task_struct.tasks", "log", "rd -a linux_banner")
_SYS, _TASKS, _LOG, _BANNER = _COMMANDS
_MARK = "=== lab"
_TEXT = re.compile(r"^[0-9a-f]+:  (.*)$", re.MULTILINE)
_TASK = re.compile(r"^[0-9a-f]{8,16}$", re.MULTILINE)


def ask(case: Case) -> Outcome:
    """What it says, where there is a crash for the architecture."""
    program = crash.program(case.arch)
    if program is None:
        return Outcome(TOOL, None, problem="no crash of that architecture here")
    lines = [line for command in _COMMANDS for line in (f"!echo '{_MARK} {command}'", command)]
    given = "\n".join([*lines, f"!echo '{_MARK}'", "quit", ""])
    argv = [program, "-s", "--no_crashrc", "--no_scroll", case.vmlinux, case.dump]
    done = asked(argv, given=given, seconds=_SECONDS)
    parts = dict(re.findall(rf"^{_MARK} (.+)\n((?:(?!{_MARK}).*\n?)*)", done.out, re.MULTILINE))
    if set(parts) != set(_COMMANDS):
        return Outcome(TOOL, False, problem=crash.last_words(done.out + done.err))
    return Outcome(TOOL, True, _values(parts))


def _values(parts: dict[str, str]) -> Values:
    release = re.search(r"RELEASE: (\S+)", parts[_SYS])
    tasks = len(_TASK.findall(parts[_TASKS])) - 1
    first, last = ends(parts[_LOG].splitlines())
    banner = "".join(_TEXT.findall(parts[_BANNER])).partition(_MARK)[0]
    return Values(release[1] if release else "", tasks, first, last, banner)
