# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to get the vmlinux of a kernel: the debug packages of the distributions.

A kernel's maker is told by what only its own build machines put into the banner: a compiler's name
alone tells who made the compiler, not the kernel. docs/distributions.md has the sources, and
where each package puts the file.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ...symbols.places import is_build_id

_RELEASE = re.compile(r"Linux version (\d[\w.+~-]{0,63}) ", re.ASCII)
#: Ubuntu's builds are numbered so: ``#101-Ubuntu``, ``#14~24.04.1-Ubuntu``.
_UBUNTU = re.compile(r" #\d+\S{0,32}-Ubuntu ", re.ASCII)
#: The distribution's mark and the architecture, then the flavour: ``.el9_4.MACHINE+rt``.
_RPM = re.compile(r"\.(?:fc|el|amzn)\d\w*\.\w+(?:\+(?P<flavour>[\w-]+))?", re.ASCII)
#: ``5.14.21-150400.24.21-default``: version, the package's release, flavour.
_SUSE = re.compile(r"(?P<version>[\w.~]+-[\w.~]+)-(?P<flavour>[a-z]\w*)", re.ASCII)


class DebugPackage(NamedTuple):
    """The packages that have a kernel's vmlinux, the likelier first, and a line that installs one.

    ``install`` is for a shell of that distribution; None where it can't be told exactly.
    """

    names: tuple[str, ...] = ()
    install: str | None = None


def debug_package(banner: bytes, build_id: str | None = None) -> DebugPackage:
    """What has the vmlinux for the kernel of ``banner``, hex ``build_id``; both of a guest.

    Names nothing for a kernel of unknown making. Names are as of Debian 8, Ubuntu 16.04, Fedora,
    RHEL 7, Amazon Linux 2 and SUSE Linux Enterprise 12 and later.
    """
    text = banner.decode("ascii", "replace")
    match = _RELEASE.match(text)
    if match is None:
        return DebugPackage()
    makers = (_debian, _ubuntu, _rpm, _suse)
    found = (maker(text, match[1], build_id) for maker in makers)
    return next((package for package in found if package is not None), DebugPackage())


def _debian(text: str, release: str, _: str | None) -> DebugPackage | None:
    if "(debian-kernel@lists.debian.org)" not in text:
        return None
    name = f"linux-image-{release}-dbg"
    return DebugPackage((name,), f"apt install {name}")


def _ubuntu(text: str, release: str, _: str | None) -> DebugPackage | None:
    if _UBUNTU.search(text) is None:
        return None
    unsigned = f"linux-image-unsigned-{release}-dbgsym"
    names = (unsigned, f"linux-image-{release}-dbgsym")
    return DebugPackage(names, f"apt install {unsigned}")


def _rpm(_: str, release: str, __: str | None) -> DebugPackage | None:
    """Fedora, RHEL and what is built from it, Amazon Linux."""
    match = _RPM.search(release)
    if match is None or match.end() != len(release):
        return None
    version = release.partition("+")[0]
    marks = {"rt": r"\.rt\d", "uek": r"\.el\d+uek\."}
    by_mark = next((flavour for flavour, mark in marks.items() if re.search(mark, version)), None)
    flavours = [flavour for flavour in (by_mark, match["flavour"]) if flavour]
    name = "-".join(["kernel", *flavours])
    return DebugPackage((f"{name}-debuginfo-{version}",), f"dnf debuginfo-install {name}-{version}")


def _suse(text: str, release: str, build_id: str | None) -> DebugPackage | None:
    """The package's release has a number more than the kernel's, so it is asked for by build ID."""
    match = _SUSE.fullmatch(release)
    if "(geeko@buildhost)" not in text or match is None:
        return None
    by_build = None
    if is_build_id(build_id):
        by_build = f"zypper install -C 'debuginfo(build-id)={build_id}'"
    return DebugPackage((f"kernel-{match['flavour']}-debuginfo-{match['version']}",), by_build)


def debuginfod_urls(build_id: str | None) -> tuple[str, ...]:
    """Where the user's debuginfod servers have the vmlinux; nothing is fetched.

    Empty unless DEBUGINFOD_URLS is set (debuginfod-find(1)): no server is named that
    the user did not name.
    """
    if build_id is None:
        return ()
    servers = os.environ.get("DEBUGINFOD_URLS", "").split()
    return tuple(f"{server.rstrip('/')}/buildid/{build_id}/debuginfo" for server in servers)
