# SPDX-License-Identifier: GPL-3.0-or-later
"""The vmlinux of the kernel that was found: the one given, or the one that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import LaunchError
from ..locate import Found, Location

#: Where debug packages put a vmlinux, by release (Debian, Fedora and SUSE) and by build ID.
_DEBUG = Path("/usr/lib/debug")


def vmlinux_of(found: Found, given: Sequence[str]) -> str:
    """The path of the vmlinux that the search used, of those ``given``.

    Raises:
        LaunchError: it does not fit, several do, or there was none.
    """
    location = found.location
    used = found.context.vmlinux if found.context is not None else None
    if used is None and given:
        raise LaunchError("several of the vmlinux given fit a kernel in memory: give one of them")
    if used is None:
        raise LaunchError(
            f"no vmlinux for the kernel found, {_named(location)}: {_advice(location)}"
        )
    if location.vmlinux_fits is False:
        raise LaunchError(
            f"{used.path} is of another build than the kernel found, {_named(location)}: "
            f"{_advice(location)}"
        )
    return used.path


def installed(location: Location) -> list[str]:
    """Files that may be its vmlinux, where debug packages put them."""
    return [str(path) for path in _places(location) if path.is_file()]


def _places(location: Location) -> Iterator[Path]:
    build_id, release = location.build_id or "", location.release or ""
    if len(build_id) > 2:
        yield _DEBUG / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
    if release and "/" not in release:
        yield _DEBUG / "boot" / f"vmlinux-{release}"
        yield _DEBUG / "lib/modules" / release / "vmlinux"
        yield _DEBUG / "usr/lib/modules" / release / "vmlinux"


def _named(location: Location) -> str:
    build_id = f", build ID {location.build_id}" if location.build_id else ""
    return f"{location.release or 'of unknown release'}{build_id}"


def _advice(location: Location) -> str:
    packages = " or ".join(location.debug_packages)
    if packages:
        return f"install its debug package ({packages}), or give the file with --vmlinux"
    return "give the one with debug information of that build with --vmlinux"
