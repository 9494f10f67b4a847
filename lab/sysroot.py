# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's crash and makedumpfile of another architecture in a folder, and what they run on.

The packages are unpacked, not installed. ``emulated/`` in the folder has what starts the
programs under QEMU's user mode: the plugin starts its Python by a script as well, so nothing
depends on whether this machine's kernel runs foreign programs (binfmt_misc).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import LabError, run
from .packages import CACHE, apt, own_architecture

#: QEMU's user-mode emulator, by Debian's name of the architecture. Its package qemu-user-static
#: has it under this name with "-static", newer releases have qemu-user alone.
EMULATORS = {"arm64": "qemu-aarch64"}
#: What a command of the plugin needs, on an otherwise empty machine, and makedumpfile, which
#: reads dumps of the architecture that it was built for alone.
PACKAGES = ("crash", "makedumpfile", "python3", "python3-click", "python3-pyelftools")
PROGRAMS = ("crash", "makedumpfile", "python3")


def root_folder(debian: str) -> Path:
    """Where the root of one of Debian's architectures is."""
    return CACHE / f"root-{debian}"


def program_for(debian: str, program: str) -> str | None:
    """What starts a program that was built for one of Debian's architectures; None if nothing."""
    if debian == own_architecture():
        return program
    emulated = root_folder(debian) / "emulated" / program
    return str(emulated) if emulated.exists() else None


def make_root(debian: str, say: Callable[[str], None]) -> Path:
    """The folder, made unless it is there.

    Raises:
        LabError: the packages can't be had or unpacked.
    """
    root = root_folder(debian)
    if all((root / "emulated" / program).exists() for program in PROGRAMS):
        say(f"root {debian}: in the cache")
        return root
    with TemporaryDirectory(prefix="root-", dir=CACHE) as folder:
        debs, fresh = Path(folder) / "debs", Path(folder) / "root"
        say(f"root {debian}: downloading {' '.join(PACKAGES)} and what they need")
        for deb in apt(debian).download_whole(PACKAGES, debs):
            run(["dpkg-deb", "--extract", deb, fresh])
        _merge_usr(fresh)
        _write_scripts(fresh, root, _emulator(debian))
        shutil.rmtree(root, ignore_errors=True)
        fresh.rename(root)
    say(f"root {debian}: made")
    return root


def _merge_usr(root: Path) -> None:
    """The links at the top, where packages have all in usr/: base-files has them, unasked for."""
    for name in ("bin", "lib", "lib64", "sbin"):
        if (root / "usr" / name).exists() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def _emulator(debian: str) -> str:
    name = EMULATORS[debian]
    for program in (f"{name}-static", name):
        if shutil.which(program):
            return program
    raise LabError(f"{name}: not installed (run `make setup`)")


def _write_scripts(fresh: Path, root: Path, emulator: str) -> None:
    """Scripts for the native shell; the programs find their libraries by ``-L``."""
    folder = fresh / "emulated"
    folder.mkdir()
    for program in PROGRAMS:
        script = folder / program
        script.write_text(
            f"#!/bin/sh\nexec {emulator} -L '{root}' '{root}/usr/bin/{program}' \"$@\"\n"
        )
        script.chmod(0o755)
