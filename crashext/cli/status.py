# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix status``: what was done to this session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..text import hex64, printable, shown

if TYPE_CHECKING:
    from ..session.applied import Record, Values
    from ..session.status import Status
    from .job import Job

_NAMES = {"phys_base": "phys_base", "kimage_voffset": "kimage_voffset",
          "kaslr_offset": "KASLR offset"}  # fmt: skip


def run_status(job: Job, *, as_json: bool) -> int:
    """Print it; 0 where values were applied and are in force, else 1."""
    if job.session is None:
        raise click.UsageError(
            "it tells of a crash session: there, `extend qemufix.so`, then `qemufix status`"
        )
    from ..session.status import look

    status = look(job.session)
    job.answer(status, status_text(status), as_json=as_json)
    return 0 if status.state == "applied" else 1


def status_text(status: Status) -> Iterator[str]:
    """The deed, the values, and whether the dump bears them out."""
    yield _headline(status)
    record = status.record
    if record is not None:
        yield f"  kernel        {_kernel(record)}"
        yield f"  confirmed by  {printable(', '.join(record.confirmed_by)) or 'nothing'}"
    yield from _values(status)
    for path in record.shown if record is not None and status.state == "applied" else ():
        yield f"  dump          shown repaired as {shown(path)}"
    if status.path is not None:
        yield f"  banner        {_banner(status.banner)}"
    if status.state == "applied":
        yield f"  undo          {_undo(status)}"


def _headline(status: Status) -> str:
    kind = "minimal" if status.minimal else "full"
    record = status.record
    if status.path is None:
        return "Nothing was applied: this session is on a live system."
    if record is None:
        return f"Nothing was applied in this {kind} session."
    how = "as it ran" if record.way == "in process" else "by starting crash again"
    if record.undone is not None:
        return (
            f"What was applied at {printable(record.when)} {how} was undone at "
            f"{printable(record.undone)}; this is a {kind} session as it was started."
        )
    was = "minimal" if record.minimal else "full"
    return f"Put right {how} at {printable(record.when)}: a {was} session is now a {kind} one."


def _kernel(record: Record) -> str:
    return f"{printable(record.release or 'unknown')}, {printable(record.confidence)}"


def _values(status: Status) -> Iterator[str]:
    """``name  now``, or ``name  before -> now``."""
    before = status.record.before if status.record and status.state == "applied" else None
    for name, title in _NAMES.items():
        now = _value(status.now, name)
        if now is not None:
            was = None if before is None else _value(before, name)
            yield f"  {title:13} {now if was is None else f'{was} -> {now}'}"
    if status.kept is False:
        yield "  changed       the session does not have the values that it was given"


def _value(values: Values, name: str) -> str | None:
    value = getattr(values, name)
    return None if value is None else hex64(value)


def _banner(found: bool | None) -> str:
    if found is None:
        return "this vmlinux has none to look for"
    if found:
        return "the kernel's is where these values put it (`qemufix physbase` searches the dump)"
    return "the kernel's is not where these values put it: `qemufix physbase --apply`"


def _undo(status: Status) -> str:
    if status.undo is None:
        return "not possible: how the session was started is not known"
    how = "at once" if status.undo == "in process" else "crash starts again as it was started"
    return f"`qemufix physbase --undo` ({how})"
