# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU of the next Debian release in a folder, for what this machine's own can't write yet.

The packages are unpacked, not installed: a script starts it with its own libraries.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import LabError, Unavailable, run
from .packages import CACHE, next_release

ROOT = CACHE / "qemu-newer"
_PACKAGE, _PROGRAM = "qemu-system-x86", "qemu-system-x86_64"
_NEEDED = 9  # the first with mapped-ram
_SCRIPT = """\
#!/bin/sh
exec '{root}{loader}' --library-path '{libraries}' '{root}/usr/bin/{program}' {data} "$@"
"""


def newer_qemu(say: Callable[[str], None], root: Path = ROOT) -> Path:
    """The program, unpacked unless it is there.

    Raises:
        Unavailable: the packages can't be had at the moment.
    """
    script = root / _PROGRAM
    if script.exists():
        return script
    root.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="qemu-", dir=root.parent) as folder:
        debs, fresh = Path(folder) / "debs", Path(folder) / "root"
        say(f"QEMU {_NEEDED} or later: downloading {_PACKAGE} and what it needs")
        for deb in next_release().download_whole([_PACKAGE], debs):
            run(["dpkg-deb", "--extract", deb, fresh])
        _write_script(fresh, root)
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)
    try:
        _check(run([script, "--version"]))
    except LabError as error:
        shutil.rmtree(root)
        raise Unavailable(f"the QEMU of the next release does not start: {error}") from error
    return script


def _check(said: str) -> None:
    found = re.search(r"version (\d+)", said)
    if found is None or int(found[1]) < _NEEDED:
        raise LabError(f"version {_NEEDED} is wanted, this is {said.splitlines()[:1]}")


def _write_script(fresh: Path, root: Path) -> None:
    """Start it by its own loader; its data lies in two folders."""
    loader = next(fresh.glob("usr/lib64/ld-linux-*"), fresh / "usr/lib64/ld.so")
    libraries = sorted(f"{root}/{p.relative_to(fresh)}" for p in fresh.glob("usr/lib/*-linux-gnu"))
    data = " ".join(f"-L '{root}/usr/share/{name}'" for name in ("qemu", "seabios"))
    script = fresh / _PROGRAM
    script.write_text(
        _SCRIPT.format(
            root=root,
            loader=f"/{loader.relative_to(fresh)}",
            libraries=":".join(libraries),
            program=_PROGRAM,
            data=data,
        )
    )
    script.chmod(0o755)
