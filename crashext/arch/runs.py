# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting mapped pages together to the runs that a search looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .base import Run


def joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Adjacent runs that are consecutive in physical memory and equal in rights, as one."""
    last: Run | None = None
    for run in runs:
        if last is not None and _continues(last, run):
            last = Run(last.vaddr, last.paddr, last.size + run.size, last.writable, last.executable)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _continues(last: Run, run: Run) -> bool:
    return (
        run.vaddr == last.end
        and run.voffset == last.voffset
        and (run.writable, run.executable) == (last.writable, last.executable)
    )
