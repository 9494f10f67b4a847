# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out: in place, or into a new file; and undoing it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..arch import architecture_of
from ..errors import RepairError
from ..text import hex64
from . import in_place, journal
from .change import Change
from .headers import VMCOREINFO
from .journal import NothingToUndo
from .plan import Plan
from .result import Repair

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..locate.result import Location
    from .new_file import Form
    from .write.written import Written


def would_repair(plan: Plan, *, in_place: bool) -> Repair:
    """What would be done."""
    why, left = (plan.unmendable, plan.warnings) if in_place else ("", ())
    return _outcome(plan, in_place=in_place, reason=why, warnings=left)


def refused(path: str, location: Location, why: str, *, in_place: bool) -> Repair:
    """Nothing was done: it is not certain enough what is right."""
    return Repair(
        path, in_place=in_place, location=location, warnings=location.warnings, reason=why
    )


def repair_in_place(plan: Plan) -> Repair:
    """Change the dump itself.

    Raises:
        RepairError: it can't be changed, or must not be.
        OSError: the system can't.
    """
    if plan.unmendable:
        raise RepairError(f"{plan.dump.path}: not repaired in place: {plan.unmendable}")
    path = _file(plan.dump.path)
    file = plan.file
    if file is None:
        raise RepairError(f"{path} is compressed as a whole: write a new file (-o)")
    if not plan.changes:
        place = journal.path_of(path)
        kept = str(place) if place.exists() else None
        return _outcome(
            plan, in_place=True, output=plan.dump.path, journal=kept, warnings=plan.warnings
        )
    place, written = in_place.write_patches(path, plan.file_patches(), file.fileno())
    return _outcome(
        plan,
        in_place=True,
        output=plan.dump.path,
        changed=True,
        journal=str(place),
        bytes_written=written,
        warnings=plan.warnings,
    )


def undo(path: str) -> Repair:
    """Put a dump that was repaired in place back as it was, bit for bit.

    Raises:
        RepairError: it has changed since, or must not be changed.
        UnreadableDump: its journal is not to be trusted.
        OSError: the system can't.
    """
    try:
        written = in_place.undo(_file(path))
    except NothingToUndo as nothing:
        return Repair(path, in_place=True, reason=str(nothing))
    return Repair(path, output=path, in_place=True, changed=True, bytes_written=written)


def roll_back(path: str) -> bool:
    """Undo a repair that was cut short; whether there was one."""
    interrupted = in_place.is_interrupted(_file(path))
    if interrupted:
        in_place.undo(_file(path))
    return interrupted


def _file(path: str) -> Path:
    """The file that a symbolic link leads to: that is changed, beside it lies the journal."""
    return Path(path).resolve() if Path(path).is_symlink() else Path(path)


def repair_into(
    plan: Plan,
    output: str,
    *,
    to: str | None = None,
    compress: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Repair:
    """Write a right dump into a new file, "-" for stdout.

    Raises:
        RepairError: that can't be written.
        OSError: the system can't.
    """
    from .new_file import form_of, write_new

    form = form_of(plan, to, compress, stream=output == "-")
    written = write_new(plan, output, form, progress)
    if not form.copied:
        plan = _anew(plan, form)
    return _outcome(
        plan,
        output=output,
        changed=bool(plan.changes),
        bytes_written=written.bytes_written,
        warnings=_losses(written),
    )


def _outcome(
    plan: Plan,
    *,
    in_place: bool = False,
    output: str | None = None,
    changed: bool = False,
    journal: str | None = None,
    bytes_written: int = 0,
    warnings: tuple[str, ...] = (),
    reason: str = "",
) -> Repair:
    return Repair(
        plan.dump.path,
        output,
        in_place,
        changed,
        plan.changes,
        journal,
        bytes_written,
        plan.location,
        (*_told(plan), *warnings),
        reason,
    )


def _told(plan: Plan) -> list[str]:
    """The search's warnings, without that which the repair sees to."""
    architecture = architecture_of(plan.location.arch)
    lacks = "" if architecture is None else architecture.crash_lacks
    return [warning for warning in plan.location.warnings if warning != lacks]


def _losses(written: Written) -> tuple[str, ...]:
    """What of the memory could not be read, in a line."""
    if not written.unreadable:
        return ()
    places = ", ".join(map(hex64, written.addresses))
    more = ", ..." if written.unreadable > len(written.addresses) else ""
    return (f"{written.unreadable} pages could not be read and were left out, at {places}{more}",)


def _anew(plan: Plan, form: Form) -> Plan:
    """The plan for a file that is written anew: its layout is its own."""
    old = " ".join((plan.dump.format, plan.dump.compression))
    new = " ".join((form.format, form.compress if form.format == "kdump" else "none"))
    same = form.format == plan.dump.format
    of_text = [change for change in plan.changes if change.what.startswith(VMCOREINFO)]
    changes = [c for c in plan.changes if not c.layout] if same else of_text
    if old != new.replace("keep", plan.dump.compression):
        changes.append(Change("format", old, new, "asked for, or a dump is to be made of it"))
    if plan.headers.page_size != plan.dump.page_size and form.format == "kdump":
        why = "libkdumpfile and makedumpfile take a block for a page of the guest"
        old, new = f"{plan.dump.page_size}", f"{plan.headers.page_size}"
        changes.append(Change("block_size", old, new, why))
    return replace(plan, changes=tuple(changes))
