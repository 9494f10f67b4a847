# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix triage``: many dumps where they lie."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import click

from ...text import shell_word, shown, size_text
from .page import check_page, page_written, reports_in
from .repair import repairing
from .tally import Tally
from .watch import arrivals_in, caller, watch_until_interrupted

if TYPE_CHECKING:
    from ...triage.engines import Engine
    from ...triage.limits import Limits
    from ...triage.row import Row
    from ...triage.store import Store
    from ..job import Job

Tell = Callable[["Row"], None]
_FEW = 10  # incidents and duplicates that a summary names
_MANY = 50  # dumps that are worth the two seconds that a cluster takes to start


class Options(NamedTuple):
    """The command line of ``triage``, as given."""

    paths: tuple[str, ...]
    store: str | None
    again: bool
    jobs: int | None
    scheduler: str | None
    time_limit: float
    memory_limit: str
    max_read: str
    as_json: bool
    output: str | None
    reports: str | None
    watch: bool
    rest: float
    call: str | None
    repair: bool
    repair_to: str | None


def run_triage(job: Job, options: Options) -> int:
    """Find, look at, keep and tell; returns the exit status."""
    with connections_may_end():
        return _run(job, options)


@contextmanager
def connections_may_end() -> Iterator[None]:
    """Only a reader of stdout that goes away ends us by a signal; a server's end is an error."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    except BrokenPipeError:
        # All others were met where they happened, and the engine has ended its workers.
        signal.signal(signal.SIGPIPE, before)
        if before == signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGPIPE)
        raise
    finally:
        signal.signal(signal.SIGPIPE, before)


def _run(job: Job, options: Options) -> int:
    from ...triage.course import run
    from ...triage.places.find import find
    from ...triage.steps import Steps
    from ...triage.store import Store

    if job.session is not None:
        raise click.UsageError("triage is for a shell: inside crash there is one dump")
    if options.jobs and options.scheduler:
        raise click.UsageError("-j is for this machine: a scheduler has workers of its own")
    check_page(options.output, options.reports, options.store, bool(options.paths))
    steps = Steps(
        _limits(options), reports_in(options.reports), repairing(options.repair, options.repair_to)
    )
    called = caller(job, options.call)
    if options.watch:
        arrivals = arrivals_in(job, options.paths, options.rest)
    with Store(options.store or "") as store:
        page = partial(page_written, options.output, store, options.store, steps.reports)
        out = job.aside() if options.as_json or not job.out.isatty() else job
        if not options.paths:
            job.say(page())
            return 0
        if options.watch:
            tally = Tally(0)
            tell = _all(tally, _line(job, options), called)
            watch_until_interrupted(
                store, _engine(options, 0), steps, arrivals, tell,
                rest=options.rest, after=lambda: list(page()), again=options.again,
            )  # fmt: skip
            out.say((*summary(tally, store), *page()))
            return 0
        tally = Tally(store.ask(find(options.paths, job.complain)))
        try:
            with _shown(job, options, tally) as show:
                tell = _all(tally, show, called)
                run(store, _engine(options, tally.total), steps, tell, again=options.again)
        except KeyboardInterrupt:
            left = "" if options.store else "; with --store FILE the next run would go on from here"
            job.complain(f"interrupted: {tally.verdicts.total()} of {tally.total} are done{left}")
            raise
        out.say((*summary(tally, store), *page()))
    return tally.status()


def _all(tally: Tally, show: Tell, called: Tell | None) -> Callable[[Row, bool], None]:
    """A row is counted, shown, and its command run if it was looked at now."""

    def tell(row: Row, known: bool) -> None:
        tally.add(row, known)
        show(row)
        if called is not None and not known:
            called(row)

    return tell


def _limits(options: Options) -> Limits:
    from ...budget import parse_size
    from ...triage.limits import Limits

    try:
        memory, read = parse_size(options.memory_limit), parse_size(options.max_read)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return Limits(seconds=options.time_limit, memory=memory, read=read)


def _engine(options: Options, dumps: int) -> Engine:
    workers = options.jobs or len(os.sched_getaffinity(0))
    if options.scheduler is None and workers == 1:
        from ...triage.engines import one_by_one

        return one_by_one
    if options.scheduler is not None or dumps >= _MANY:
        try:
            from ...triage.engines.dask import Dask
        except ImportError as error:
            if options.scheduler is not None:
                wanted = f"--scheduler: {error} (pip install 'qemufix[fleet]')"
                raise click.UsageError(wanted) from None
        else:
            return Dask(options.scheduler, workers)
    from ...triage.engines.pool import Pool

    return Pool(workers)


def _shown(job: Job, options: Options, tally: Tally) -> AbstractContextManager[Tell]:
    """What takes each row and shows it."""
    if options.as_json or not job.out.isatty():
        return nullcontext(_line(job, options))
    try:
        from .table import LiveTable
    except ImportError:  # without rich
        return nullcontext(_line(job, options))
    return LiveTable(job.out, tally)


def _line(job: Job, options: Options) -> Tell:
    if options.as_json or not job.out.isatty():
        return partial(_print, job, lambda row: json.dumps(row.to_json()))
    return partial(_print, job, row_text)


def _print(job: Job, text: Callable[[Row], str], row: Row) -> None:
    job.out.write(text(row) + "\n")
    job.out.flush()


def row_text(row: Row) -> str:
    """A dump in a line."""
    said = row.panic or row.reason or ""
    if row.repaired is not None:
        said = f"{row.repaired.replace('_', ' ')}: {row.repair_note}"
    return "  ".join(
        filter(None, (row.verdict, shown(row.url), row.release, row.hostname, said[:80]))
    )


def summary(tally: Tally, store: Store) -> Iterator[str]:
    """What all of it came to."""
    from ...triage.groups import duplicates, incidents
    from ...triage.row import VERDICTS

    seen = [f"{tally.verdicts[v]} {v.replace('_', ' ')}" for v in VERDICTS if tally.verdicts[v]]
    known = f", {tally.known} of them known already" if tally.known else ""
    yield f"{tally.verdicts.total()} files{known}: {', '.join(seen) or 'nothing'}"
    if tally.looked_at:
        each = size_text(tally.bytes_read // tally.looked_at)
        took = time.monotonic() - tally.started
        yield (
            f"{took:.1f} s, {tally.rate:.3g} a second; read {size_text(tally.bytes_read)} in "
            f"{tally.requests} requests, {each} of each"
        )
    yield from tally.repairs()
    for incident in incidents(store, _FEW):
        where = incident.panic_function or "?"
        told = f"{incident.dumps} dumps, {incident.release}, {where}: {incident.panic[:80]}"
        yield f"Incident: {told}"
    for same in duplicates(store, _FEW):
        yield f"Same guest, same moment: {', '.join(map(shell_word, same.urls))}"
