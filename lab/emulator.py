# SPDX-License-Identifier: GPL-3.0-or-later
"""Which QEMU runs a guest: the machine's own, or one of a later Debian release in a folder.

The packages are unpacked, not installed: a script starts it with its own libraries.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from .errors import LabError, Unavailable, run
from .packages import CACHE, Apt, development_release, next_release, own_architecture
from .unpacked import unpack_whole, write_script

# "own": the machine's; "newer": the next Debian release's; "newest": the development release's.
# The machine's own stands for one of those where it is new enough.
Emulator = Literal["own", "newer", "newest"]

_PACKAGE, _PROGRAM = "qemu-system-x86", "qemu-system-x86_64"
#: The first version that will do: 9 has mapped-ram, 8.2 a kdump that is not flattened.
_NEEDED: Mapping[Emulator, int] = {"newer": 9, "newest": 11}


def qemu(which: Emulator, own: str, say: Callable[[str], None], cache: Path = CACHE) -> str:
    """The program that runs a guest, where the machine's is ``own``; unpacked unless it is there.

    Raises:
        Unavailable: the packages can't be had at the moment.
    """
    if which == "own" or (own == _PROGRAM and _own_version(own) >= _NEEDED[which]):
        return own
    if own != _PROGRAM:
        raise LabError(f"there is no other {own} than the machine's own")
    return str(_unpacked(which, say, cache / f"qemu-{which}"))


def _unpacked(which: Emulator, say: Callable[[str], None], root: Path) -> Path:
    script, needed = root / _PROGRAM, _NEEDED[which]
    if script.exists():
        return script
    say(f"QEMU {needed} or later: downloading {_PACKAGE} and what it needs")
    unpack_whole(_packages(which), [_PACKAGE], root)
    data = "".join(f"-L '{root}/usr/share/{name}' " for name in ("qemu", "seabios"))
    write_script(script, root, _PROGRAM, more=data)
    try:
        _check(run([script, "--version"]), needed)
    except LabError as error:
        shutil.rmtree(root)
        raise Unavailable(f"the QEMU of a later release does not start: {error}") from error
    return script


def _own_version(program: str) -> int:
    """0 where it is not installed, which is found out when it is started."""
    try:
        return _version(run([program, "--version"]))
    except LabError:
        return 0


def _version(said: str) -> int:
    """The first number of the version, 0 if there is none."""
    found = re.search(r"version (\d+)", said)
    return int(found[1]) if found else 0


def _check(said: str, needed: int) -> None:
    if _version(said) < needed:
        raise LabError(f"version {needed} is wanted, this is {said.splitlines()[:1]}")


def _packages(which: Emulator) -> Apt:
    if which == "newer":
        return next_release()
    return development_release(own_architecture())
