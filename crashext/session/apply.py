# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving the session the translation that was found: what is done, in what order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..arch import architecture_of
from ..arch.base import MASK64
from ..errors import SessionError
from ..text import hex64, printable
from .applied import read_record, record_of
from .restart import MARKER

if TYPE_CHECKING:
    from ..locate.result import Location
    from .host import Host

#: Seconds until a re-initialisation counts as hung. It takes about as long as
#: crash's own start, which grows with the guest; this variable sets another limit.
LIMIT = 120.0
LIMIT_VARIABLE = "QEMUFIX_TIME_LIMIT"


class Shown(NamedTuple):
    """What crash is to be started again on; ``said`` is what there is to say of it."""

    files: Sequence[str]
    said: str


Repaired = Callable[[], Shown]
"""Shows the session's dump repaired, until the session's process has ended."""


def apply(
    host: Host,
    location: Location,
    *,
    repaired: Repaired | None = None,
    dry_run: bool = False,
    restart: bool = False,
    if_needed: bool = False,
) -> None:
    """Put the session right, or say why that can't be done or need not be.

    Args:
        host: the session.
        location: an answer with ``found``.
        repaired: called where crash has to be started again on a repaired dump; refused where None.
        dry_run: only say what would be done.
        restart: start crash again even where the session could be changed as it runs.
        if_needed: say nothing where the session has the values, and leave it a minimal one.

    Raises:
        SessionError: the memory does not bear the answer out, or nothing can be done.
    """
    _check_fits(location)
    voffset, kaslr_offset = location.kimage_voffset, location.kaslr_offset
    if voffset is None or kaslr_offset is None:
        raise SessionError(
            "not applied: the kernel's place and its KASLR offset are not both known"
        )
    _gate(host, voffset, kaslr_offset)
    values = f"{_place(location.phys_base, voffset)}, KASLR offset {hex64(kaslr_offset)}"
    if is_right(host, location) and (if_needed or not host.minimal):
        if not if_needed:
            host.write(f"The session has {values} already: nothing to change.\n")
        return
    lacks = _crash_lacks(location)
    if lacks and repaired is None:
        raise SessionError(f"not applied, nothing was changed: {lacks}; this needs a repaired dump")
    if lacks:
        _on_repaired(host, location, values, lacks, None if dry_run else repaired)
        return
    in_process = host.can_reinit and not restart and location.phys_base is not None
    if dry_run:
        host.write(f"Would {_deed(in_process)} with {values}.\n{_was(host)}")
    elif in_process:
        _reinit(host, location, values)
    else:
        if not restart:
            host.write("This session can't be re-initialised as it runs, so crash starts again.\n")
        _restart(host, location, values)


def _check_fits(location: Location) -> None:
    if location.vmlinux_fits is False:
        raise SessionError(
            f"not applied: the session's vmlinux is of another build {_wanted(location)}"
        )


def _reinit(host: Host, location: Location, values: str) -> None:
    host.write(f"Re-initialising the session with {values}.\n")
    record = record_of(host, location, "in process").packed()
    host.reinit(location.phys_base or 0, location.kaslr_offset or 0, _limit(), record)


def _on_repaired(
    host: Host, location: Location, values: str, lacks: str, repaired: Repaired | None
) -> None:
    """Start crash again on the dump repaired: there its options do not suffice."""
    host.write(f"{lacks[:1].upper()}{lacks[1:]}: it has to start again on a repaired dump.\n")
    if repaired is None:
        host.write(f"Would start crash again with {values}.\n{_was(host)}")
        return
    _check_first(host, location)
    shown = repaired()
    if shown.said:
        host.write(f"{printable(shown.said)}\n")
    _restart(host, location, values, shown.files)


def _place(phys_base: int | None, voffset: int) -> str:
    """Where the kernel is, as its architecture puts it."""
    if phys_base is None:
        return f"kimage_voffset {hex64(voffset)}"
    return f"phys_base {hex64(phys_base)}"


def is_right(host: Host, location: Location) -> bool:
    """Whether the session has the answer's values."""
    if host.kaslr_offset != location.kaslr_offset:
        return False
    if location.phys_base is None:
        return host.kimage_voffset == location.kimage_voffset
    return host.phys_base == location.phys_base


def _crash_lacks(location: Location) -> str:
    """What crash can't be told on the answer's architecture."""
    architecture = architecture_of(location.arch)
    return (
        "crash can't be told where the kernel is"
        if architecture is None
        else (architecture.crash_lacks)
    )


def _wanted(location: Location) -> str:
    """Which vmlinux it takes, in words."""
    packages = " or ".join(location.debug_packages)
    where = f", package {packages}" if packages else ""
    return f"than the kernel found, {location.release or 'an unknown one'}{where}"


def _limit() -> float:
    text = os.environ.get(LIMIT_VARIABLE)
    try:
        seconds = LIMIT if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise SessionError(f"{LIMIT_VARIABLE}={printable(text or '')} is no number of seconds")
    return seconds


def _deed(in_process: bool) -> str:
    return "re-initialise this session" if in_process else "start crash again"


def _was(host: Host) -> str:
    if host.phys_base is None or host.kaslr_offset is None:
        return ""
    return (
        f"Now it has phys_base {hex64(host.phys_base)}, KASLR offset {hex64(host.kaslr_offset)}.\n"
    )


def _gate(host: Host, voffset: int, kaslr_offset: int) -> None:
    """The kernel's banner must be where the new values put it.

    Mandatory: crash's verify_version() ends the process when it is not, at a
    point where much has been changed already.
    """
    from ..symbols.vmlinux import Vmlinux

    with Vmlinux(host.namelist) as vmlinux:
        banner, linked = vmlinux.banner, vmlinux.symbol("linux_banner")
    if not banner or linked is None:
        raise SessionError(f"{host.namelist}: no linux_banner to check the answer by")
    paddr = (linked + kaslr_offset - voffset) & MASK64
    found = host.read_phys(paddr, len(banner))
    if found != banner:
        seen = "nothing readable" if found is None else f'"{printable(found[:40])}"'
        raise SessionError(
            f"at physical {hex64(paddr)}, where the kernel's banner should be, is {seen}: "
            "not applied, nothing was changed"
        )


def _check_first(host: Host, location: Location) -> None:
    """A restart that did not help is not repeated; one that was undone may be."""
    record = read_record(host)
    if os.environ.get(MARKER) and not (record and record.undone):
        raise SessionError(
            "crash was started again already and is not right yet: "
            f"start it by hand with {' '.join(location.crash_args)}"
        )


def _restart(host: Host, location: Location, values: str, files: Sequence[str] = ()) -> None:
    from .restart import restart

    _check_first(host, location)
    host.write(f"Starting crash again with {values}.\n")
    record = record_of(host, location, "restart", tuple(files))
    restart(host, location.crash_args, files, record=record.packed())
