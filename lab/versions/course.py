# SPDX-License-Identifier: GPL-3.0-or-later
"""Going through the combinations: each crash on each guest, each Python on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
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
    *("qemu-newer", "qemu-newer-other", "qemu-newer-development"),
    *("qemu-newest", "qemu-newest-other", "qemu-newest-development"),
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
    guests_first = partial(_each_guest, systems, guests)
    for combinations in (guests_first, partial(_each_python, systems, guests, kept, every)):
        asked = [
            each
            for each in combinations()
            if crash in (None, each.crash.version)
            and (again or each.became(NOT_YET).key not in kept.tried)
        ]
        for tried in _tried(asked):
            say(" ".join((*tried.key, tried.way, tried.why)))
            kept.add([tried])
            kept.write(docs / "versions.json")
            write_page(kept, docs / "versions.md")
    kept.write(docs / "versions.json")
    write_page(kept, docs / "versions.md")
    return sum(each.way == "failed" for each in kept.tried.values())


def _tried(asked: Sequence[Combination]) -> Iterator[Tried]:
    """What came of each, in order, a few at a time."""
    plugins = {each[:2]: build(*each[:2]) for each in asked}
    once = cache(started_right)
    with ThreadPoolExecutor(_JOBS) as pool:
        outcomes = pool.map(lambda each: _try(each, once, plugins[each[:2]]), asked)
        for each, outcome in zip(asked, outcomes, strict=True):
            yield each.became(outcome)


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


def _each_guest(systems: Sequence[System], guests: Sequence[Guest]) -> Iterator[Combination]:
    """Each crash with its own release's Python on each guest."""
    for system in systems:
        if system.crash is not None:
            yield from (Combination(system.crash, system.pythons[0], guest) for guest in guests)


def _each_python(
    systems: Sequence[System], guests: Sequence[Guest], kept: Kept, every: bool
) -> Iterator[Combination]:
    """Each crash with the other Pythons on the first guest that it opens, or on all of them."""
    pythons = {python.series: python for system in systems for python in system.pythons}
    for own in _each_guest(systems, guests):
        ways = [kept.tried.get(own._replace(guest=g).became(NOT_YET).key) for g in guests]
        first = next((g for g, t in zip(guests, ways, strict=True) if t and t.worked), guests[0])
        if every or own.guest == first:
            for python in sorted(pythons.values(), key=lambda python: int(python.series[2:])):
                if python.series != own.python.series:
                    yield own._replace(python=python)
