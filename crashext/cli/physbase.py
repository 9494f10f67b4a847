# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix physbase``: search, print, and inside crash apply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from ..errors import CorruptDump, SessionError
from ..text import shell_word
from .progress import Progress
from .render import location_text

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from ..locate.result import Location
    from ..session.apply import Shown
    from ..session.host import Host
    from .job import Job

#: What names a kernel: its id in the list (a place in memory), or its part in what happened.
_KERNEL = re.compile(r"(voffset:)?0x[0-9a-f]{1,16}|live|crashed")


class Options(NamedTuple):
    """The command line of ``physbase``, as given."""

    dumps: tuple[str, ...]
    vmlinux: tuple[str, ...]
    as_json: bool
    no_cpu_state: bool
    everything: bool
    kernel: str | None
    fetch: bool
    apply: bool
    restart: bool
    dry_run: bool
    verbose: bool = False
    explain: bool = False
    quiet: bool = False
    undo: bool = False


def run_physbase(job: Job, options: Options) -> int:
    """Answer, and apply where that was asked for; returns the exit status."""
    _check(job, options)
    if job.session is not None and options.undo:
        from ..session.undo import undo

        undo(job.session)
        return 0
    if job.session is not None and options.quiet:
        return _apply_if_needed(job, job.session, options)
    answer = search(job, options, **_how(options))
    job.answer(answer, _text(job, answer, options), as_json=options.as_json)
    if not answer.found:
        if options.apply:
            raise SessionError("not applied: no kernel was found for certain")
        return 1
    if job.session is not None and (options.apply or options.dry_run):
        _apply(job, job.session, options, answer)
    return 0


def _text(job: Job, answer: Location, options: Options) -> Iterator[str]:
    yield from location_text(answer, verbose=options.verbose)
    if options.explain:
        from .explain import explanation

        yield from explanation(answer)
    if not answer.found or answer.vmlinux_fits is False:
        return
    if job.session is not None:
        yield from _next_in_session(job.session, answer, options)
    else:
        given = [word for path in options.vmlinux for word in ("--vmlinux", path)]
        command = ["qemufix", "crash", *options.dumps, *given]
        yield f"Next: {' '.join(map(shell_word, command))}"


def _next_in_session(session: Host, answer: Location, options: Options) -> Iterator[str]:
    from ..session.apply import is_right

    if options.apply or options.dry_run:
        return  # what is done says it
    right = is_right(session, answer) and not session.minimal
    yield "The session has these values." if right else "Next: qemufix physbase --apply"


def _apply_if_needed(job: Job, session: Host, options: Options) -> int:
    from .if_needed import wanted

    answer = wanted(session, lambda: search(job, options, **_how(options)))
    if answer is not None:
        _apply(job, session, options, answer)
    return 0


def _apply(job: Job, session: Host, options: Options, answer: Location) -> None:
    from ..session.apply import apply

    job.out.flush()
    apply(
        session,
        answer,
        repaired=lambda: _repaired(job, options),
        dry_run=options.dry_run,
        restart=options.restart,
        if_needed=options.quiet,
    )


def search(job: Job, options: Options, **how: Any) -> Location:
    """Open the dump and locate its kernel, showing progress on a terminal.

    Where no vmlinux is given and one is at hand, with that one once more. ``how`` goes to
    :func:`crashext.locate.locate`.

    Raises:
        CorruptDump: no kernel is in what a damaged file still holds.
        FetchError: there is nothing to fetch with.
    """
    from ..locate import locate

    vmlinux = _vmlinux(job, options)
    with Progress(job.err) as progress, job.open_dump(options.dumps, progress) as dump:
        answer = locate(dump, vmlinux=vmlinux or None, progress=progress, **how)
        if answer.found and not vmlinux and job.session is None:
            path = _at_hand(answer, options, progress)
            answer = locate(dump, vmlinux=path, progress=progress, **how) if path else answer
    check_damage(dump, answer)
    return answer


def _at_hand(answer: Location, options: Options, progress: Progress) -> str | None:
    """The kernel's vmlinux, if a search can be done with it."""
    from ..launch.which_vmlinux import Ways, at_hand
    from ..symbols.places import Places

    ways = Ways(Places(needs_contents=True), options.fetch, progress, progress.say)
    taken = at_hand(answer, ways)
    if taken is None:
        return None
    progress.say(taken.line)
    return taken.path


def check_damage(dump: Dump, answer: Location) -> None:
    """Raise CorruptDump where no kernel is in what a damaged file still holds."""
    if not (answer.found or answer.kernels or dump.complete):
        why = "; ".join(w.removeprefix(f"{dump.path}: ") for w in dump.warnings)
        raise CorruptDump(
            f"the file is incomplete, no kernel is in what is there ({why})", path=dump.path
        )


def _repaired(job: Job, options: Options) -> Shown:
    """Show the session's dump as crash takes it, for as long as the session's process lives."""
    import os

    from ..launch.case import Case
    from ..launch.crash import Crash
    from ..launch.given import give
    from ..locate import finding
    from ..session.apply import Shown
    from ..session.reader import CrashDump, dump_files

    session, vmlinux = cast("Host", job.session), _vmlinux(job, options)
    how = _how(options)
    with (
        Progress(job.err) as progress,
        job.open_dump((), progress) as dump,
        finding(dump, vmlinux=vmlinux, progress=progress, **how) as found,
    ):
        if isinstance(dump, CrashDump):
            raise SessionError("not applied, nothing was changed: only crash reads this dump")
        case = Case(tuple(dump_files(session)), dump, found, session.namelist)
        want, why = Crash().wants(case)
        if want == "file":
            return Shown((), "")
        return Shown(*give(case, want, why, reader=os.getppid(), progress=progress))


def _how(options: Options) -> dict[str, Any]:
    return {
        "use_cpu_state": not options.no_cpu_state,
        "everything": options.everything,
        "kernel": options.kernel,
    }


def _check(job: Job, options: Options) -> None:
    """Refuse options that make no sense where we are."""
    if job.session is None and options.apply:
        raise click.UsageError(
            "--apply works inside crash: `extend qemufix.so`, then `qemufix physbase --apply`;"
            " from here `qemufix crash VMLINUX DUMP` starts crash right"
        )
    if job.session is None and options.undo:
        raise click.UsageError("--undo works inside crash, on what `physbase --apply` did there")
    if options.undo and (options.apply or options.dry_run or options.restart or options.quiet):
        raise click.UsageError("--undo goes alone")
    if options.quiet and not options.apply:
        raise click.UsageError("--quiet goes with --apply, inside crash")
    if job.session is not None and options.fetch:
        raise click.UsageError("inside crash the kernel is the session's; nothing is fetched")
    check_fetch(options.fetch)
    if job.session is not None and options.vmlinux:
        raise click.UsageError("inside crash the kernel is the session's; --vmlinux has no place")
    if options.restart and not (options.apply or options.dry_run):
        raise click.UsageError("--restart goes with --apply, inside crash")
    if job.session is None and options.dry_run:
        raise click.UsageError("--dry-run says what --apply would do, inside crash")
    check_kernel(options.kernel)


def check_kernel(kernel: str | None) -> None:
    """Refuse what can't name a kernel."""
    if kernel is not None and not _KERNEL.fullmatch(kernel):
        raise click.UsageError(
            f"--kernel takes live, crashed or an id of the list, such as 0x1000000, not {kernel!r}"
        )


def check_fetch(fetch: bool) -> None:
    """Refuse to fetch where no server is named."""
    from ..symbols.places import SERVERS, servers

    if fetch and not servers():
        raise click.UsageError(f"--fetch asks the servers in {SERVERS}, which is not set")


def _vmlinux(job: Job, options: Options) -> Sequence[str]:
    if job.session is None:
        return options.vmlinux
    return [job.session.namelist] if job.session.namelist else []
