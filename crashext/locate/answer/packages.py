# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to get the vmlinux of a kernel: the debug packages of the distributions."""

from __future__ import annotations

import os
import re

_RELEASE = re.compile(r"Linux version ([\w.+~-]+) ")


def debug_packages(banner: bytes) -> tuple[str, ...]:
    """Names of the packages with the vmlinux for the kernel of ``banner``.

    Told by the marks that each distribution leaves in its banner; empty for a kernel
    of unknown making. Names are as of Debian 8, Ubuntu 16.04, Fedora, RHEL 7 and SUSE
    Linux Enterprise 12 and later.
    """
    text = banner.decode("ascii", "replace")
    match = _RELEASE.match(text)
    if match is None:
        return ()
    release = match.group(1)
    if "Ubuntu" in text:
        return (f"linux-image-unsigned-{release}-dbgsym", f"linux-image-{release}-dbgsym")
    if "debian" in text.lower():
        return (f"linux-image-{release}-dbg",)
    if re.search(r"\.(fc|el|amzn)\d", release):
        flavour = "kernel-rt" if ".rt" in release else "kernel"
        return (f"{flavour}-debuginfo-{release}",)
    if "SUSE" in text or release.endswith(("-default", "-preempt")):
        version, _, flavour = release.rpartition("-")
        return (f"kernel-{flavour}-debuginfo-{version}",)
    return ()


def debuginfod_urls(build_id: str | None) -> tuple[str, ...]:
    """Where the user's debuginfod servers have the vmlinux; nothing is fetched.

    Empty unless DEBUGINFOD_URLS is set (debuginfod-find(1)): no server is named that
    the user did not name.
    """
    if build_id is None:
        return ()
    servers = os.environ.get("DEBUGINFOD_URLS", "").split()
    return tuple(f"{server.rstrip('/')}/buildid/{build_id}/debuginfo" for server in servers)
