# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix dmesg``: the kernel log from the guest's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from ..text import printable
from .physbase import check_damage, check_kernel
from .progress import Progress

if TYPE_CHECKING:
    from ..kernel.kernel import Kernel
    from ..kernel.log import Log
    from ..locate import Found
    from ..report.dmesg import Dmesg
    from .job import Job


class Options(NamedTuple):
    """The command line of ``dmesg``, as given."""

    dumps: tuple[str, ...]
    vmlinux: tuple[str, ...]
    kernel: str | None
    wall_clock: bool
    level: tuple[str, ...]
    as_json: bool


def run_dmesg(job: Job, options: Options) -> int:
    """Print the log, or say why there is none; returns the exit status."""
    from ..locate import finding

    check_kernel(options.kernel)
    levels = _levels(options.level)
    vmlinux = vmlinux_of(job, options.vmlinux)
    with (
        Progress(job.err) as progress,
        job.open_dump(options.dumps, progress) as dump,
        finding(dump, vmlinux=vmlinux, kernel=options.kernel, progress=progress) as found,
    ):
        check_damage(dump, found.location)
        answer = _answer(found, levels, wall_clock=options.wall_clock)
    _complain(job, answer, wall_clock=options.wall_clock)
    if answer.log is not None or options.as_json:
        job.answer(answer, answer.lines(), as_json=options.as_json)
    return 0 if answer.log is not None else 1


def _answer(found: Found, levels: frozenset[int] | None, *, wall_clock: bool) -> Dmesg:
    from ..kernel.kernel import Kernel
    from ..kernel.log import LogError, read_log
    from ..report.dmesg import Dmesg

    where = found.location
    log: Log | None = None
    reason, boot = where.reason, None
    if where.found:
        kernel = Kernel(found)
        try:
            log, reason = read_log(kernel), ""
        except LogError as problem:
            reason = str(problem)
        boot = _boot_time(kernel) if wall_clock else None
    return Dmesg(where.path, where.release, where.confidence, log, reason, boot, levels)


def _boot_time(kernel: Kernel) -> int | None:
    from ..kernel.machine import times
    from ..kernel.structs import NotThere, structs_of

    try:
        return times(structs_of(kernel)).boot
    except NotThere:
        return None


def _complain(job: Job, answer: Dmesg, *, wall_clock: bool) -> None:
    """What the log itself does not say goes beside it."""
    if answer.log is None:
        job.complain(f"{answer.path}: {answer.reason}")
        return
    if answer.confidence == "weak":
        job.complain("it is not certain that this is the kernel that ran")
    if wall_clock and answer.boot_time is None:
        job.complain("the kernel's clock is not found; the times are seconds since boot")
    for problem in answer.log.problems:
        job.complain(problem)


def _levels(given: Sequence[str]) -> frozenset[int] | None:
    """The numbers that ``--level`` means, as dmesg(1) has them.

    Raises:
        UsageError: one is no level.
    """
    from ..kernel.log import LEVELS

    words = [word for each in given for word in each.split(",") if word]
    found: set[int] = set()
    for word in words:
        name = word.strip("+")
        if name not in LEVELS:
            raise click.UsageError(f"{printable(word)!r} is no level ({', '.join(LEVELS)})")
        number = LEVELS.index(name)
        if word.startswith("+"):
            found |= set(range(number + 1))
        elif word.endswith("+"):
            found |= set(range(number, len(LEVELS)))
        else:
            found.add(number)
    return frozenset(found) if given else None


def vmlinux_of(job: Job, given: Sequence[str]) -> Sequence[str] | None:
    """The vmlinux to search with: as given, or the session's.

    Raises:
        UsageError: one is given inside crash.
    """
    if job.session is None:
        return given or None
    if given:
        raise click.UsageError("inside crash the kernel is the session's; --vmlinux has no place")
    return [job.session.namelist] if job.session.namelist else None
