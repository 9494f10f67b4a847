# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix triage --watch``, and the command of ``--exec``."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ...text import shell_word, shown

if TYPE_CHECKING:
    from ...triage.row import Row
    from ...triage.watch.arrivals import Arrivals
    from ..job import Job


def caller(job: Job, text: str | None) -> Callable[[Row], None] | None:
    """What runs the command of ``--exec`` for a row; None where there is none."""
    if text is None:
        return None
    from ...triage.watch.call import Call

    try:
        call = Call(text)
    except ValueError as error:
        raise click.UsageError(f"--exec: {shown(str(error))}") from None

    def run(row: Row) -> None:
        problem = call.run(row)
        if problem:
            job.complain(f"{row.url}: {problem}")

    return run


def arrivals_in(job: Job, paths: tuple[str, ...], rest: float) -> Arrivals:
    """The folders of ``--watch``."""
    from ...triage.places.find import is_url
    from ...triage.watch.arrivals import Arrivals

    if not paths:
        raise click.UsageError("--watch: which folder?")
    for path in paths:
        if is_url(path) or not Path(path).is_dir():
            raise click.UsageError(f"--watch {shell_word(path)}: that is no folder here")
    return Arrivals(paths, rest, job.complain)


def watch_until_interrupted(*course: Any, **how: Any) -> None:
    """Watch; Ctrl-C, and what a service manager sends, are how that ends."""
    from ...triage.watch.loop import watch

    def ended(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, ended)
    try:
        with suppress(KeyboardInterrupt):
            watch(*course, **how)
    finally:
        signal.signal(signal.SIGTERM, before)
