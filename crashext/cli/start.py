# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix crash``, ``drgn`` and ``gdb``: find the kernel, then start the tool on the dump."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from ..text import shell_word
from .progress import Progress
from .render import location_text

if TYPE_CHECKING:
    from ..launch.case import Case, Tool
    from ..locate import Found
    from .job import Job

#: How crash exits that ends before its prompt (clean_exit(1), main.c); a session ends with 0.
_NOT_UP = 1


class Options(NamedTuple):
    """The command line of ``crash``, ``drgn`` or ``gdb``, as given."""

    words: tuple[str, ...]
    vmlinux: tuple[str, ...]
    kernel: str | None
    program: str | None
    dry_run: bool


class Words(NamedTuple):
    """What the words of the command line are: kernels, dumps, options of the tool."""

    vmlinux: tuple[str, ...]
    dumps: tuple[str, ...]
    options: tuple[str, ...]


def start(job: Job, name: str, options: Options) -> int:
    """Say the command, then execute it; returns only where it isn't, or has come to nothing.

    Raises:
        LaunchError: no vmlinux fits, or there is no such program for the dump.
    """
    from ..launch.given import prepare
    from .physbase import check_kernel

    if job.session is not None:
        raise click.UsageError("this is crash already; use `qemufix physbase --apply`")
    check_kernel(options.kernel)
    tool, words = _tool(name), _sorted_out(options)
    with Progress(job.err) as progress, _case(job, words, options.kernel, progress) as case:
        if case is None:
            return 1
        program = tool.program(case, options.program)
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
    return Words(given, tuple(dumps), tuple(options.words[len(files) :]))


def _tool(name: str) -> Tool:
    from ..launch import crash, drgn, gdb

    tools: tuple[Tool, ...] = (crash.Crash(), drgn.Drgn(), gdb.Gdb())
    return next(tool for tool in tools if tool.name == name)


@contextmanager
def _case(job: Job, words: Words, kernel: str | None, progress: Progress) -> Iterator[Case | None]:
    """The dump with its kernel and vmlinux; None where none was found, which is said."""
    from ..launch.case import Case
    from ..launch.which_vmlinux import installed, vmlinux_of
    from ..locate import How, finding
    from .physbase import check_damage

    def search(vmlinux: Sequence[str]) -> Found:
        how = How(kernel=kernel, progress=progress, vmlinux=vmlinux or None)
        return stack.enter_context(finding(dump, **how))

    with job.open_dump(words.dumps, progress) as dump, ExitStack() as stack:
        found = search(words.vmlinux)
        check_damage(dump, found.location)
        if not found.location.found:
            job.say(location_text(found.location))
            yield None
            return
        given = words.vmlinux or installed(found.location)
        if given != words.vmlinux and given:
            found = search(given)
        vmlinux = vmlinux_of(found, given)
        if found.location.confidence == "weak":
            job.complain(f"it is not certain where the kernel is: {found.location.reason}")
        yield Case(words.dumps, dump, found, vmlinux)


def _started(job: Job, tool: Tool, command: list[str], chosen: str | None) -> int:
    """Start the tool in our place; crash once more with less, should it not come up."""
    from ..launch.run import become, run

    again = tool.again(command)
    if again is None:
        become(command)
    status = run(command)
    if status != _NOT_UP:
        return status
    job.complain(f"{tool.name} did not come up: not all is as it expects; once more, with less")
    _say(job, again, chosen)
    return _started(job, tool, again, chosen)


def _say(job: Job, command: Sequence[str], chosen: str | None) -> None:
    """Show the command as one would type it."""
    words = [chosen or Path(command[0]).name, *command[1:]]
    job.say([" ".join(map(shell_word, words))])
    job.out.flush()
