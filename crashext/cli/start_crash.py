# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix crash``: find the kernel, then become a crash that starts right."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from ..arch import architecture_of
from ..errors import SessionError
from ..text import shell_word
from .physbase import search
from .render import location_text

if TYPE_CHECKING:
    from .job import Job


def start_crash(
    job: Job, vmlinux: str, dump: str, crash_options: tuple[str, ...], *, dry_run: bool
) -> int:
    """Say the command, then exec it; returns only where it isn't run.

    Raises:
        SessionError: there is no crash to start, or none that could be told where the kernel is.
    """
    if job.session is not None:
        raise click.UsageError("this is crash already; use `qemufix physbase --apply`")
    answer = search(job, [dump], [vmlinux])
    if not answer.found or answer.vmlinux_fits is False:
        job.say(location_text(answer))
        return 1
    architecture = architecture_of(answer.arch)
    lacks = "" if architecture is None else architecture.crash_lacks
    if lacks and lacks in answer.warnings:
        raise SessionError(f"not started: {lacks}; this needs a dump with VMCOREINFO in it")
    command = ["crash", *answer.crash_args, *crash_options, vmlinux, dump]
    job.say([" ".join(map(shell_word, command))])
    if dry_run:
        return 0
    program = shutil.which("crash")
    if program is None:
        raise SessionError("there is no crash in PATH: install it, or use the command above")
    return _become(program, command)


def _become(program: str, command: list[str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, command)
