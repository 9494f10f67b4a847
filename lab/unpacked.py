# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of another release in a folder: not installed, run with their own libraries."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import LabError, run
from .packages import Apt

# A program that starts itself again, as crash does with the plugin, takes all of its command
# line along, the loader's part too.
_SCRIPT = """\
#!/bin/sh
left=$#
while [ $left -gt 0 ]; do
	if [ "$1" = --library-path ]; then
		shift 3
		left=$((left - 3))
	else
		set -- "$@" "$1"
		shift
		left=$((left - 1))
	fi
done
exec '{loader}' --library-path '{libraries}' '{program}' {more}"$@"
"""


def unpack_whole(apt: Apt, packages: Sequence[str], root: Path) -> None:
    """Put packages, with all that they depend on, into the folder ``root`` in place of what it has.

    Raises:
        LabError: one can't be had or unpacked.
    """
    root.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="root-", dir=root.parent) as folder:
        debs, fresh = Path(folder) / "debs", Path(folder) / "root"
        for deb in apt.download_whole(packages, debs):
            run(["dpkg-deb", "--extract", deb, fresh])
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)


def write_script(script: Path, root: Path, program: str, *, more: str = "") -> Path:
    """A script that starts a program of ``root`` by the loader there; ``more`` are arguments.

    Raises:
        LabError: there is no loader.
    """
    loader = next(iter(sorted(root.glob("usr/lib64/ld-linux-*"))), None)
    if loader is None:
        raise LabError(f"{root}: no loader in usr/lib64")
    libraries = ":".join(map(str, sorted(root.glob("usr/lib/*-linux-gnu"))))
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        _SCRIPT.format(
            loader=loader, libraries=libraries, program=root / "usr/bin" / program, more=more
        )
    )
    script.chmod(0o755)
    return script
