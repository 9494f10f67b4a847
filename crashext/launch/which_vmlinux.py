# SPDX-License-Identifier: GPL-3.0-or-later
"""The vmlinux of the kernel that was found: given, at hand, fetched, or made from the dump."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..errors import LaunchError, NotFetched, RebuildError, SymbolFileError
from ..locate import Found, Location
from ..symbols.places import Fitting, Place, Places, Wanted, servers
from ..symbols.vmlinux import Vmlinux

_MOST_TOLD = 3  # files passed over that an error speaks of


class Taken(NamedTuple):
    """A vmlinux, and why it is this one.

    ``vouches`` says whether a search may be done with it: it is the kernel's own, and whole.
    One made from the dump would confirm whatever the dump says.
    """

    path: str
    why: str
    vouches: bool = True
    made: bool = False

    @property
    def line(self) -> str:
        """What there is to say of it."""
        return f"vmlinux: {self.path} ({self.why})"


class Ways(NamedTuple):
    """How to come by one.

    Attributes:
        places: where to look, and what the file must have.
        fetches: whether debuginfod servers may be asked.
        progress: called with a description and the fraction done.
        say: told what is fetched, or why nothing was.
    """

    places: Places
    fetches: bool
    progress: Callable[[str, float], None]
    say: Callable[[str], None]


def given_fits(found: Found) -> Taken:
    """The one that the search used, of those given.

    Raises:
        LaunchError: it does not fit, or several do.
    """
    used = found.context.vmlinux if found.context is not None else None
    if used is None:
        raise LaunchError("several of the vmlinux given fit a kernel in memory: give one of them")
    if found.location.vmlinux_fits is False:
        raise _other_build(used.path, found.location)
    return Taken(used.path, "given")


def given_apart(location: Location, path: str, ways: Ways) -> Taken:
    """The only one given, debug information without the kernel: of use to who needs no more.

    Raises:
        LaunchError: it does not fit, or is not enough.
    """
    fitting = ways.places.judge(Place(path, "given"), _wanted(location))
    if fitting is None:
        raise _other_build(path, location)
    if ways.places.needs_contents:
        raise LaunchError(f"{path} has debug information alone: give the vmlinux itself")
    return Taken(fitting.path, fitting.why, vouches=False)


def is_debug_only(path: str) -> bool:
    """Whether a file is a vmlinux's debug information without its contents."""
    try:
        with Vmlinux(path) as vmlinux:
            return not vmlinux.is_whole
    except SymbolFileError:
        return False  # who uses it will say


def at_hand(location: Location, ways: Ways) -> Taken | None:
    """The one that is installed; else, if that may be, the one that a server has.

    Raises:
        FetchError: there is nothing to fetch with.
    """
    wanted = _wanted(location)
    fitting = ways.places.look(wanted)
    if fitting is None and ways.fetches:
        fitting = _fetched(wanted, ways)
    return None if fitting is None else Taken(fitting.path, fitting.why, fitting.is_whole)


def made(found: Found, ways: Ways, *, old_crash: bool) -> Taken:
    """The one made from the dump.

    Raises:
        LaunchError: it can't be made; says what else there is to do.
    """
    try:
        path = _vmlinux_for(found, ways, old_crash=old_crash)
    except RebuildError as problem:
        seen = "".join(f"; {text}" for text in ways.places.passed_over[:_MOST_TOLD])
        raise LaunchError(
            f"no vmlinux for the kernel found, {_named(found.location)}: "
            f"{_advice(found.location, may_fetch=not ways.fetches)}; none can be made from the "
            f"dump: {problem}{seen}"
        ) from None
    why = "made from the dump, without source lines and locals; none is installed"
    return Taken(path, why, vouches=False, made=True)


def _vmlinux_for(found: Found, ways: Ways, *, old_crash: bool) -> str:
    try:
        from ..rebuild.made import (  # type: ignore[import-not-found,unused-ignore]
            vmlinux_for,
        )
    except ModuleNotFoundError:
        raise RebuildError("that is not there yet") from None
    return str(vmlinux_for(found, progress=ways.progress, old_crash=old_crash))


def _fetched(wanted: Wanted, ways: Ways) -> Fitting | None:
    if wanted.build_id is None:
        ways.say("nothing is fetched: the kernel's build ID is not known")
        return None
    from ..symbols.debuginfod import fetch

    try:
        path = fetch(wanted.build_id, say=ways.say, progress=ways.progress)
    except NotFetched as problem:
        ways.say(str(problem))
        return None
    fitting = ways.places.judge(Place(path, "fetched from a debuginfod server"), wanted)
    return None if fitting is None or not ways.places.will_do(fitting) else fitting


def _wanted(location: Location) -> Wanted:
    return Wanted(location.build_id, location.release, location.banner)


def _named(location: Location) -> str:
    build_id = f", build ID {location.build_id}" if location.build_id else ""
    return f"{location.release or 'of unknown release'}{build_id}"


def _other_build(path: str, location: Location) -> LaunchError:
    return LaunchError(
        f"{path} is of another build than the kernel found, {_named(location)}: {_advice(location)}"
    )


def _advice(location: Location, *, may_fetch: bool = False) -> str:
    packages = " or ".join(location.debug_packages)
    ways = [f"install its debug package ({packages})"] if packages else []
    if may_fetch and servers():
        ways.append("have it fetched with --fetch")
    what = "the file" if packages else "the one with debug information of that build"
    return ", or ".join([*ways, f"give {what} with --vmlinux"])
