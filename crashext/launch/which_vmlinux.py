# SPDX-License-Identifier: GPL-3.0-or-later
"""The vmlinux of the kernel that was found: given, at hand, fetched, or made from the dump."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import LaunchError, NotFetched, RebuildError, SymbolFileError
from ..locate import Found, Location
from ..symbols.places import Fitting, Place, Places, Wanted, servers
from ..symbols.vmlinux import Vmlinux

_MOST_TOLD = 3  # files passed over that an error speaks of


class Taken(NamedTuple):
    """A vmlinux, and why it is this one.

    Attributes:
        path: the file.
        why: in a few words.
        debug: the file with its debug information, where that is another one.
        vouches: whether a search may be done with it: it is the kernel's own, and whole. One
            made from the dump would confirm whatever the dump says.
        is_made: whether it was made so.
    """

    path: str
    why: str
    debug: str | None = None
    vouches: bool = True
    is_made: bool = False

    @property
    def line(self) -> str:
        """What there is to say of it."""
        files = self.path if self.debug is None else f"{self.path} with {self.debug}"
        return f"vmlinux: {files} ({self.why})"


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


def given_fits(found: Found, debug: Sequence[str], ways: Ways) -> Taken:
    """The one that the search used, of those given, with its debug information if that was too.

    Raises:
        LaunchError: it does not fit, or several do.
    """
    used = found.context.vmlinux if found.context is not None else None
    if used is None:
        raise LaunchError("several of the vmlinux given fit a kernel in memory: give one of them")
    if found.location.vmlinux_fits is False:
        raise _other_build(used.path, found.location)
    apart = [_of_this_build(path, found.location, ways) for path in debug]
    debug_path = apart[0].path if apart else None
    return Taken(used.path, "given", debug_path, is_made=used.is_made)


def given_debug(location: Location, path: str, ways: Ways) -> Taken:
    """Debug information without the kernel, as it was given.

    Raises:
        LaunchError: it does not fit, or is not enough.
    """
    fitting = _of_this_build(path, location, ways)
    lacking = ways.places.lacks(fitting)
    if lacking is not None:
        raise LaunchError(f"{path}: {lacking}: give the kernel's vmlinux as well")
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
    if fitting is None:
        return None
    return Taken(fitting.path, fitting.why, fitting.debug, vouches=fitting.is_whole)


def made(found: Found, ways: Ways, *, old_crash: bool) -> Taken:
    """The one made from the dump.

    Raises:
        LaunchError: it can't be made; says what else there is to do.
    """
    from ..rebuild.made import vmlinux_for

    try:
        path = vmlinux_for(found, progress=ways.progress, old_crash=old_crash)
    except RebuildError as problem:
        seen = "".join(f"; {text}" for text in ways.places.passed_over[:_MOST_TOLD])
        raise LaunchError(
            f"no vmlinux for the kernel found, {_named(found.location)}: "
            f"{_advice(found.location, may_fetch=not ways.fetches)}; none can be made from the "
            f"dump: {problem}{seen}"
        ) from None
    why = "made from the dump, without source lines and locals; none is installed"
    return Taken(path, why, vouches=False, is_made=True)


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
    lacking = "another build" if fitting is None else ways.places.lacks(fitting)
    if lacking is not None:
        ways.say(f"of no use, {lacking}: {path}")
        return None
    return fitting


def _wanted(location: Location) -> Wanted:
    return Wanted(location.build_id, location.release, location.banner)


def _named(location: Location) -> str:
    build_id = f", build ID {location.build_id}" if location.build_id else ""
    return f"{location.release or 'of unknown release'}{build_id}"


def _of_this_build(path: str, location: Location, ways: Ways) -> Fitting:
    fitting = ways.places.judge(Place(path, "given"), _wanted(location))
    if fitting is None:
        raise _other_build(path, location)
    return fitting


def _other_build(path: str, location: Location) -> LaunchError:
    return LaunchError(
        f"{path} is of another build than the kernel found, {_named(location)}: {_advice(location)}"
    )


def _advice(location: Location, *, may_fetch: bool = False) -> str:
    packages = " or ".join(location.debug_packages)
    how = f": {' or '.join(location.debug_install)}" if location.debug_install else ""
    ways = [f"install its debug package ({packages}{how})"] if packages else []
    if may_fetch and servers():
        ways.append("have it fetched with --fetch")
    what = "the file" if packages else "the one with debug information of that build"
    return ", or ".join([*ways, f"give {what} with --vmlinux"])
