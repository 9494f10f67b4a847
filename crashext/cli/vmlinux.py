# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix vmlinux``: a vmlinux made from what the guest's memory has of its kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from ..errors import RebuildError
from ..text import printable, shell_word, size_text
from .physbase import check_damage, check_kernel
from .progress import Progress

if TYPE_CHECKING:
    from ..rebuild.result import Rebuilt
    from .job import Job


class Options(NamedTuple):
    """The command line of ``vmlinux``, as given."""

    dumps: tuple[str, ...]
    output: str | None
    kernel: str | None
    no_image: bool
    old_crash: bool | None
    as_json: bool


def run_vmlinux(job: Job, options: Options) -> int:
    """Make it, or say why not; returns the exit status."""
    from ..locate import finding
    from ..rebuild import course
    from ..rebuild.result import Rebuilt

    if job.session is not None:
        raise click.UsageError("a session has its vmlinux; this makes one outside of crash")
    if options.output is None:
        raise click.UsageError("where to? -o FILE")
    check_kernel(options.kernel)
    how = course.Options(not options.no_image, _is_old(options.old_crash))
    with (
        Progress(job.err) as progress,
        job.open_dump(options.dumps, progress) as dump,
        finding(dump, kernel=options.kernel, progress=progress) as found,
    ):
        check_damage(dump, found.location)
        try:
            done = course.rebuild(found, options.output, how, progress)
        except RebuildError as problem:
            where = found.location
            done = Rebuilt(dump.path, None, where.release, where.build_id, missing=(str(problem),))
            job.complain(f"{dump.path}: {problem}")
    if done.output is not None or options.as_json:
        job.answer(done, _text(done), as_json=options.as_json)
    return 0 if done.output is not None else 1


def _is_old(asked: bool | None) -> bool:
    """Whether it is made for a crash before 8.0.4: as asked, else as the one in PATH is."""
    if asked is not None:
        return asked
    from ..launch.crash import Crash
    from ..launch.program import in_path

    program = in_path("crash")
    return program is not None and Crash().is_old([program])


def _text(done: Rebuilt) -> Iterator[str]:
    output, dump = shell_word(done.output or ""), shell_word(done.path)
    yield f"{output}: {printable(done.release or 'unknown release')}, made from {dump}"
    yield f"  {done.symbols} symbols, {done.types} types, {done.globals} variables with a type"
    if done.modules:
        yield f"  with the types of {', '.join(map(printable, done.modules))}"
    yield f"  missing: {'; '.join(map(printable, done.missing))}"
    yield f"  {size_text(done.bytes_written)} written in {done.seconds:.1f} s"
    yield f"Next: qemufix crash {dump} --vmlinux {output}"
