# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix crash``, ``drgn`` and ``gdb``: find the kernel, then start the tool on the dump."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..text import shell_word
from .opening import Opening, Options, Words
from .progress import Progress

if TYPE_CHECKING:
    from ..launch.case import Tool
    from .job import Job

#: How crash exits that ends before its prompt (clean_exit(1), main.c); a session ends with 0.
_NOT_UP = 1


def start(job: Job, name: str, options: Options) -> int:
    """Say the command, then execute it; returns only where it isn't, or has come to nothing.

    Raises:
        LaunchError: no vmlinux fits, or there is no such program for the dump.
    """
    from ..launch.given import prepare
    from .physbase import check_fetch, check_kernel

    if job.session is not None:
        raise click.UsageError("this is crash already; use `qemufix physbase --apply`")
    check_kernel(options.kernel)
    tool, words = _tool(name), _sorted_out(options)
    check_fetch(options.fetch)
    opening = Opening(job, tool, words, options, Progress(job.err))
    with opening.progress as progress, opening.opened() as opened:
        if opened is None:
            return 1
        case, program = opened
        ready = prepare(
            tool, case, program, words.options, show_only=options.dry_run, progress=progress
        )
    if ready.said:
        job.complain(ready.said)
    _say(job, ready.command, options.program)
    return 0 if options.dry_run else _started(job, tool, ready.command, options.program)


def _sorted_out(options: Options) -> Words:
    from ..launch.look import told_apart

    files = list(takewhile(lambda word: not word.startswith("-") or word == "-", options.words))
    kernels, dumps = told_apart(files)
    given = (*options.vmlinux, *kernels)
    before = list(takewhile(lambda word: word != "--", options.words[len(files) :]))
    behind = options.words[len(files) + len(before) + 1 :]
    return Words(given, tuple(dumps), (*before, *behind))


def _tool(name: str) -> Tool:
    from ..launch import crash, drgn, gdb

    tools: tuple[Tool, ...] = (crash.Crash(), drgn.Drgn(), gdb.Gdb())
    return next(tool for tool in tools if tool.name == name)


def _started(job: Job, tool: Tool, command: list[str], chosen: str | None) -> int:
    """Start the tool in our place; crash once more with less, should it not come up."""
    from ..launch.feed import fed
    from ..launch.run import become

    if tool.again(command) is None:
        become(command)
    with fed(b"exit") as is_fed:
        return _run(job, tool, command, chosen, is_fed=is_fed)


def _run(job: Job, tool: Tool, command: list[str], chosen: str | None, *, is_fed: bool) -> int:
    from ..launch.run import become, run

    again = tool.again(command)
    if again is None and not is_fed:
        become(command)
    status = run(command)
    if status != _NOT_UP or again is None:
        return status
    job.complain(f"{tool.name} did not come up: not all is as it expects; once more, with less")
    _say(job, again, chosen)
    return _run(job, tool, again, chosen, is_fed=is_fed)


def _say(job: Job, command: Sequence[str], chosen: str | None) -> None:
    """Show the command as one would type it."""
    words = [chosen or Path(command[0]).name, *command[1:]]
    job.say([" ".join(map(shell_word, words))])
    job.out.flush()
