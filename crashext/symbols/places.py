# SPDX-License-Identifier: GPL-3.0-or-later
"""The vmlinux of a kernel where distributions and debuginfod's clients put it.

Which places those are: Debian's linux-image-*-dbg and Ubuntu's -dbgsym have
``boot/vmlinux-RELEASE``, Fedora's and RHEL's kernel-debuginfo and Arch's packages
``lib/modules/RELEASE/vmlinux`` (with or without ``usr/`` before it), SUSE's kernel-*-debuginfo
the same or ``boot/vmlinux-RELEASE`` with ``.debug`` behind, all below ``/usr/lib/debug``; by
build ID they have links in ``.build-id`` there (RPM's and dh_strip's convention, which gdb,
elfutils and drgn follow). A kernel built by hand is found from ``/lib/modules/RELEASE/build``.

Release and build ID come from a guest, so they are checked before they become part of a path.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeGuard

from ..errors import SymbolFileError
from ..text import printable
from .vmlinux import Vmlinux

#: uname has room for 64 characters. No "/", and nothing that starts with a dot.
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:@-]{0,63}", re.ASCII)
#: xxhash's 8 bytes are the shortest that a linker makes by itself, SHA-1 has 20.
_BUILD_ID = re.compile(r"(?:[0-9a-f]{2}){8,64}", re.ASCII)

#: Where elfutils' client looks for the URLs of servers.
SERVERS = "DEBUGINFOD_URLS"
_DEBUG = "/usr/lib/debug"
_PACKAGE, _BUILT = "installed debug package", "the kernel's build folder"
_KERNEL = "installed kernel"
_CACHE = "debuginfod's cache"
#: By release, those with debug information first.
_BY_RELEASE = (
    (f"{_DEBUG}/boot/vmlinux-{{}}", _PACKAGE),
    (f"{_DEBUG}/usr/lib/modules/{{}}/vmlinux", _PACKAGE),
    (f"{_DEBUG}/lib/modules/{{}}/vmlinux", _PACKAGE),
    (f"{_DEBUG}/usr/lib/modules/{{}}/build/vmlinux", _PACKAGE),
    (f"{_DEBUG}/boot/vmlinux-{{}}.debug", _PACKAGE),
    (f"{_DEBUG}/usr/lib/modules/{{}}/vmlinux.debug", _PACKAGE),
    (f"{_DEBUG}/lib/modules/{{}}/vmlinux.debug", _PACKAGE),
    ("/lib/modules/{}/build/vmlinux", _BUILT),
    ("/usr/lib/modules/{}/build/vmlinux", _BUILT),
    ("/lib/modules/{}/vmlinux", _KERNEL),
    ("/usr/lib/modules/{}/vmlinux", _KERNEL),
    ("/lib/modules/{0}/vmlinux-{0}", _KERNEL),
    ("/boot/vmlinux-{}", _KERNEL),
)
_COMPRESSED = (".xz", ".zst", ".gz", ".bz2")


class Wanted(NamedTuple):
    """What is known of the kernel: hex, text as :func:`crashext.text.printable` makes it."""

    build_id: str | None
    release: str | None
    banner: str | None


class Place(NamedTuple):
    """A file that may be the vmlinux, and what kind of place it lies in, in a few words."""

    path: str
    kind: str


class Fitting(NamedTuple):
    """A vmlinux of the build wanted.

    Attributes:
        path: the file.
        why: in a few words, why it was taken.
        is_whole: False for debug information alone.
        has_debug_info: False for the kernel alone.
        debug: the file with the debug information, where that is another one.
    """

    path: str
    why: str
    is_whole: bool
    has_debug_info: bool
    debug: str | None = None


@dataclass
class Places:
    """The files that fit; ``passed_over`` tells of those that would but for something.

    Attributes:
        needs_debug_info: symbols alone will not do.
        needs_contents: debug information alone will not do.
        root: the folder that stands for ``/``.
    """

    needs_debug_info: bool = False
    needs_contents: bool = False
    root: str = ""
    passed_over: list[str] = field(default_factory=list)

    def look(self, wanted: Wanted) -> Fitting | None:
        """The first that will do; else two, that have the kernel and its debug information."""
        kernel: Fitting | None = None
        debug: Fitting | None = None
        for place in self._files(wanted):
            found = self.judge(place, wanted)
            if found is not None and found.is_whole and self.lacks(found) is None:
                return found
            if found is not None and found.is_whole:
                kernel = kernel or found
            elif found is not None:
                debug = debug or found
        if kernel is not None and debug is not None and self.needs_contents:
            return kernel._replace(debug=debug.path, why=debug.why)
        return next((f for f in (debug, kernel) if f is not None and self._will_do(f)), None)

    def lacks(self, fitting: Fitting) -> str | None:
        """What it has not that is needed; None where it has it all."""
        if self.needs_contents and not fitting.is_whole:
            return "debug information without the kernel itself"
        if self.needs_debug_info and not fitting.has_debug_info:
            return "no debug information"
        return None

    def _will_do(self, fitting: Fitting) -> bool:
        lacking = self.lacks(fitting)
        if lacking is not None:
            self.passed_over.append(f"{fitting.path}: {lacking}")
        return lacking is None

    def _files(self, wanted: Wanted) -> Iterator[Place]:
        """The places where there is a file, each file once."""
        seen = set()
        for place in places(wanted.build_id, wanted.release, self.root):
            facts = _facts(place.path)
            if facts is None:
                self._note_packed(place.path)
            # An empty file in debuginfod's cache says that no server had it.
            elif facts.st_size and (facts.st_dev, facts.st_ino) not in seen:
                seen.add((facts.st_dev, facts.st_ino))
                yield place

    def _note_packed(self, path: str) -> None:
        packed = next((path + s for s in _COMPRESSED if _facts(path + s) is not None), None)
        if packed is not None:
            self.passed_over.append(f"{packed}: compressed; unpack it to have it used")

    def judge(self, place: Place, wanted: Wanted) -> Fitting | None:
        """The file at that place if it is of the build wanted, whatever it lacks."""
        try:
            with Vmlinux(place.path) as vmlinux:
                why = _match(vmlinux, wanted)
                is_whole, has_debug_info = vmlinux.is_whole, vmlinux.has_debug_info
                is_made = vmlinux.is_made
        except SymbolFileError as error:
            self.passed_over.append(str(error))
            return None
        if not why or is_made:
            problem = "made from a dump, not the kernel's own" if why else "of another build"
            self.passed_over.append(f"{place.path}: {problem}")
            return None
        return Fitting(place.path, f"{place.kind}, {why}", is_whole, has_debug_info)


def places(build_id: str | None, release: str | None, root: str = "") -> Iterator[Place]:
    """Where the file may be, whether there is one or not; release and build ID of any origin."""
    if is_release(release):
        for form, kind in _BY_RELEASE:
            yield Place(root + form.format(release), kind)
    if is_build_id(build_id):
        index = f"{root}{_DEBUG}/.build-id/{build_id[:2]}/{build_id[2:]}"
        yield Place(f"{index}.debug", _PACKAGE)
        yield Place(index, _PACKAGE)
        yield Place(str(debuginfod_cache() / build_id / "debuginfo"), _CACHE)


def is_build_id(text: str | None) -> TypeGuard[str]:
    """Whether it is a build ID: hex of some length, and nothing else."""
    return text is not None and _BUILD_ID.fullmatch(text) is not None


def is_release(text: str | None) -> TypeGuard[str]:
    """Whether it is a kernel release that may be part of a path."""
    return text is not None and _RELEASE.fullmatch(text) is not None


def servers() -> list[str]:
    """The debuginfod servers that the user names; nobody else's are asked."""
    return os.environ.get(SERVERS, "").split()


def debuginfod_cache() -> Path:
    """Where elfutils' client keeps what it fetched (debuginfod_find_debuginfo(3), "CACHE")."""
    named = os.environ.get("DEBUGINFOD_CACHE_PATH")
    if named:
        return Path(named)
    old = Path.home() / ".debuginfod_client_cache"
    if old.is_dir():
        return old
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "debuginfod_client"


def _facts(path: str) -> os.stat_result | None:
    """What the system knows of a file; None where there is none that could be had."""
    try:
        facts = Path(path).stat()
    except OSError:
        return None
    return facts if stat.S_ISREG(facts.st_mode) else None


def _match(vmlinux: Vmlinux, wanted: Wanted) -> str:
    """What shows that it is the build wanted; "" where nothing does."""
    if wanted.build_id is not None:
        return "build ID matches" if vmlinux.build_id == wanted.build_id else ""
    banner = vmlinux.banner
    if banner is None or wanted.banner is None:
        return ""
    return "banner matches" if printable(banner.rstrip(b"\n")) == wanted.banner else ""
