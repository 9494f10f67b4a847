# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix repair`` and ``qemufix vmcoreinfo``: making the dump itself right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from ..errors import NotCertain
from ..text import printable, shell_word, shown, size_text
from .physbase import check_damage, check_kernel
from .progress import Progress
from .render import kernel_line, next_steps

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from ..locate import Found
    from ..repair.result import Repair
    from .job import Job


class Options(NamedTuple):
    """The command line of ``repair``, as given."""

    dumps: tuple[str, ...]
    output: str | None
    in_place: bool
    undo: bool
    vmlinux: tuple[str, ...]
    kernel: str | None
    to: str | None
    compress: str | None
    force: bool
    dry_run: bool
    as_json: bool


def run_repair(job: Job, options: Options) -> int:
    """Repair, or say what would be done; returns the exit status."""
    _check(options)
    if options.undo:
        from ..repair.course import undo

        done, status = undo(options.dumps[0]), 0
    else:
        _roll_back(job, options)
        with Progress(job.err) as progress, job.open_dump(options.dumps, progress) as dump:
            done, status = _repaired(dump, options, progress)
    # What goes to stdout is the dump.
    told = job.aside() if options.output == "-" else job
    told.answer(done, _text(done, options), as_json=options.as_json)
    return status


def run_vmcoreinfo(
    job: Job,
    dumps: tuple[str, ...],
    vmlinux: tuple[str, ...],
    kernel: str | None,
    *,
    as_json: bool,
) -> int:
    """Print the text that belongs into the dump; returns the exit status."""
    from ..locate import finding
    from ..repair.text import TextAnswer

    check_kernel(kernel)
    with (
        Progress(job.err) as progress,
        job.open_dump(dumps, progress) as dump,
        finding(dump, vmlinux=vmlinux or None, kernel=kernel, progress=progress) as found,
    ):
        check_damage(dump, found.location)
        answer = TextAnswer.of(found)
    if answer.text is None and not as_json:
        job.complain(answer.reason)
    job.answer(answer, answer.lines(), as_json=as_json)
    return 0 if answer.text is not None else 1


def _check(options: Options) -> None:
    """Refuse options that make no sense together."""
    ways = sum((bool(options.output), options.in_place, options.undo))
    if ways > 1:
        raise click.UsageError("one of -o OUT, --in-place and --undo")
    if not ways and not options.dry_run:
        raise click.UsageError(
            "where to? -o OUT writes a new file, --in-place changes the dump, --dry-run only tells"
        )
    if options.undo and (options.dry_run or options.force or len(options.dumps) != 1):
        raise click.UsageError("--undo takes the one DUMP, and neither --dry-run nor --force")
    if (options.to or options.compress) and not options.output:
        raise click.UsageError("--to and --compress go with -o OUT")
    if options.to == "elf" and options.compress not in (None, "none", "keep"):
        raise click.UsageError("an ELF dump is not compressed: --to kdump")
    check_kernel(options.kernel)


def _roll_back(job: Job, options: Options) -> None:
    """A repair that was cut short is undone first: the file may be half of each."""
    from ..repair.course import roll_back

    if options.in_place and not options.dry_run and len(options.dumps) == 1:
        path = options.dumps[0]
        if roll_back(path):
            job.complain(f"{path}: a repair that had been cut short was undone first")


def _repaired(dump: Dump, options: Options, progress: Progress) -> tuple[Repair, int]:
    """The outcome and the exit status for an opened dump."""
    from ..locate import finding
    from ..repair.course import refused

    vmlinux = options.vmlinux or None
    with finding(dump, vmlinux=vmlinux, kernel=options.kernel, progress=progress) as found:
        check_damage(dump, found.location)
        try:
            return _carried_out(found, options, progress), 0
        except NotCertain as why:
            return refused(dump.path, found.location, str(why), in_place=options.in_place), 1


def _carried_out(found: Found, options: Options, progress: Progress) -> Repair:
    from ..repair import course
    from ..repair.plan import plan_repair

    plan = plan_repair(found, force=options.force)
    if options.dry_run:
        return course.would_repair(plan, in_place=options.in_place)
    if options.output is None:
        return course.repair_in_place(plan)
    return course.repair_into(
        plan, options.output, to=options.to, compress=options.compress, progress=progress
    )


def _text(done: Repair, options: Options) -> Iterator[str]:
    """The lines for people: what was done, each change, what to do next."""
    yield f"{shown(done.path)}: {_headline(done, options)}"
    if done.location is not None:
        yield from kernel_line(done.location)
    for change in (each.to_json() for each in done.changes):
        old = "" if change["from"] is None else f"{change['from']} -> "
        yield f"  {change['what']}: {old}{change['to']}"
        yield f"      {change['why']}"
    for warning in done.warnings:
        yield f"warning: {shown(warning)}"
    if done.journal and done.changed:
        yield f"undo: qemufix repair --undo {shell_word(done.path)}"
    if done.location is not None and not done.output and not done.changes:
        yield from next_steps(done.location)


def _headline(done: Repair, options: Options) -> str:
    if options.undo:
        return "put back as it was" if done.changed else printable(done.reason)
    if done.reason and not options.dry_run:
        return f"not repaired: {printable(done.reason)}"
    written = f"{shell_word(done.output)}, {size_text(done.bytes_written)}" if done.output else ""
    if not done.changes:
        return f"right already; copied to {written}" if _is_copy(done) else "nothing to do"
    if options.dry_run:
        how = f", but not in place: {printable(done.reason)}" if done.reason else ""
        return f"would be repaired{how}"
    if done.in_place:
        return f"repaired in place, {size_text(done.bytes_written)} written"
    return f"repaired into {written}"


def _is_copy(done: Repair) -> bool:
    return done.output is not None and not done.in_place
