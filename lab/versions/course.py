# SPDX-License-Identifier: GPL-3.0-or-later
"""Going through the combinations: each crash on each guest, each Python on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..errors import LabError
from ..packages import CACHE
from .kept import Kept, Tried
from .page import write_page
from .plugin import build
from .session import Guest, Outcome, Session, judged, opened, put_right, started_right
from .systems import Crash, Python, Say, System, other_releases, system_in, this_machine

DOCS = Path(__file__).parents[2] / "docs"
#: Each QEMU with each kernel; the first is what each Python is tried on.
GUESTS = (
    *("ovmf-kaslr", "newer-kernel", "development-kernel"),
    *("qemu-newer", "qemu-newer-newer", "qemu-newer-development"),
    *("qemu-newest", "qemu-newest-newer", "qemu-newest-development"),
)
#: Before it is tried.
NOT_YET = Outcome("failed")
_JOBS = 2


class Combination(NamedTuple):
    """What is tried together."""

    crash: Crash
    python: Python
    guest: Guest

    def became(self, outcome: Outcome) -> Tried:
        """What is kept of it."""
        truth = self.guest.truth
        versions = (self.crash.version, self.python.version, truth["qemu"], truth["release"])
        return Tried(*versions, way=outcome.way, why=outcome.why)


def try_all(
    dumps: Path,
    say: Say,
    *,
    roots: Sequence[Path] = (),
    crash: str | None = None,
    every: bool = False,
    again: bool = False,
    docs: Path = DOCS,
) -> int:
    """Try what is not kept yet, or all of it ``again``; the page is written after each.

    ``roots``: folders with further systems. ``crash``: a version, with that one alone. ``every``:
    each Python on each guest as well. Returns how many combinations failed.

    Raises:
        LabError: there is no crash here, or a plugin can't be built.
    """
    kept = Kept.read(docs / "versions.json")
    systems, kept.absent = _systems(roots, say)
    guests = list(_guests(dumps, say))
    if not guests:
        raise LabError("no guests (python3 -m lab dumps --group core --group qemu ...)")
    asked = [
        each
        for each in _combinations(systems, guests, every=every)
        if crash in (None, each.crash.version)
        and (again or each.became(NOT_YET).key not in kept.tried)
    ]
    plugins = {each[:2]: build(*each[:2]) for each in asked}
    with ThreadPoolExecutor(_JOBS) as pool:
        once = cache(started_right)
        outcomes = pool.map(lambda each: _try(each, once, plugins[each[:2]]), asked)
        for each, outcome in zip(asked, outcomes, strict=True):
            tried = each.became(outcome)
            say(" ".join((*tried.key, tried.way, tried.why)))
            kept.add([tried])
            kept.write(docs / "versions.json")
            write_page(kept, docs / "versions.md")
    kept.write(docs / "versions.json")
    write_page(kept, docs / "versions.md")
    return sum(each.way == "failed" for each in kept.tried.values())


def _try(each: Combination, started: Callable[[str, Guest], Session], plugin: Path) -> Outcome:
    right = started(each.crash.program, each.guest)
    if refused := opened(right):
        return refused
    return judged(each.guest, right, put_right(each.crash.program, each.guest, plugin))


def _systems(roots: Sequence[Path], say: Say) -> tuple[list[System], list[str]]:
    """Those that can be had, and what is to be said of the others."""
    found, absent = [this_machine()], []
    for system in other_releases(say):
        if isinstance(system, LabError):
            absent.append(str(system))
        else:
            found.append(system)
    for root in roots:
        scripts = CACHE / "plugins" / "scripts" / root.name
        found.append(system_in(root, scripts, root.name))
    return found, absent


def _guests(dumps: Path, say: Say) -> Iterator[Guest]:
    for name in GUESTS:
        dump = dumps / f"{name}.kdump"
        if not dump.exists():
            say(f"left out: there is no {dump.name} (python3 -m lab dumps {name})")
            continue
        guest = Guest.of(dump)
        if "qemu" in guest.truth:
            yield guest
        else:
            say(f"left out: {dump.name} does not say which QEMU wrote it: make it anew")


def _combinations(
    systems: Sequence[System], guests: Sequence[Guest], *, every: bool
) -> Iterator[Combination]:
    """Each crash with its own release's Python on each guest; then the other Pythons."""
    pythons = {python.series: python for system in systems for python in system.pythons}
    crashes = [(system.crash, system.pythons[0]) for system in systems if system.crash]
    for crash, own in crashes:
        yield from (Combination(crash, own, guest) for guest in guests)
    for crash, own in crashes:
        for python in sorted(pythons.values(), key=lambda python: int(python.series[2:])):
            if python.series != own.series:
                asked = guests if every else guests[:1]
                yield from (Combination(crash, python, guest) for guest in asked)
