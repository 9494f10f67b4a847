# SPDX-License-Identifier: GPL-3.0-or-later
"""The crashes and Pythons that can be had: this machine's, and other releases' in folders."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..crash import version as crash_version
from ..errors import LabError, run
from ..packages import CACHE, Apt, development_release, next_release, own_architecture
from ..unpacked import unpack_whole, write_script

Say = Callable[[str], None]

#: What is taken of each release, where there is one: the Pythons that it has beside its own too.
_PACKAGES = ("crash", "python3")
_PYTHON = re.compile(r"python3\.(\d+)")
_OLDEST = 11


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash: its version, what starts it, the folder of its header."""

    version: str
    program: str
    include: Path


@dataclass(frozen=True, slots=True)
class Python:
    """A Python: its version, what starts it."""

    version: str
    program: str

    @property
    def series(self) -> str:
        """Such as 3.13."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True, slots=True)
class System:
    """What one release has; ``name`` says which. The first Python is its own ``python3``."""

    name: str
    crash: Crash | None
    pythons: tuple[Python, ...]


def this_machine() -> System:
    """The crash that is installed here, and the Python of this virtual environment.

    Raises:
        LabError: there is no crash.
    """
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    own = Python(_python_version(str(program)), str(program))
    crash = Crash(_crash_version("crash"), "crash", Path("/usr/include/crash"))
    return System("this machine", crash, (own,))


def system_in(root: Path, scripts: Path, name: str) -> System:
    """What a folder with another system has; scripts that start its programs go into ``scripts``.

    Raises:
        LabError: there is no loader, or a program does not start.
    """
    crash = None
    if (root / "usr/bin/crash").exists() and (root / "usr/include/crash/defs.h").exists():
        program = str(write_script(scripts / "crash", root, "crash"))
        crash = Crash(_crash_version(program), program, root / "usr/include/crash")
    names = sorted(file.name for file in (root / "usr/bin").iterdir() if _is_python(file.name))
    own = (root / "usr/bin/python3").resolve().name
    found = [
        str(write_script(scripts / name, root, name))
        for name in sorted(names, key=lambda name: name != own)
    ]
    return System(name, crash, tuple(Python(_python_version(each), each) for each in found))


def other_releases(say: Say, cache: Path = CACHE) -> Iterator[System | LabError]:
    """Those of Debian's releases after this machine's; the error where one can't be had."""
    releases: Sequence[tuple[str, Callable[[], Apt]]] = (
        ("the next release", next_release),
        ("the development release", lambda: development_release(own_architecture())),
    )
    for name, apt in releases:
        root = cache / f"crash-{name.split()[1]}"
        try:
            if not (root / "usr/bin/crash").exists():
                packages = apt()
                wanted = [*_PACKAGES, *_pythons(packages)]
                say(f"{name}: downloading {' '.join(wanted)} and what they need")
                unpack_whole(packages, wanted, root)
            yield system_in(root, root / "scripts", name)
        except LabError as problem:
            yield LabError(f"{name}: {problem}")


def _pythons(packages: Apt) -> list[str]:
    """Its Pythons by version, if it has more than one."""
    return sorted(name for name in packages.names("python3.") if _is_python(name))


def _is_python(name: str) -> bool:
    match = _PYTHON.fullmatch(name)
    return match is not None and int(match[1]) >= _OLDEST


def _crash_version(program: str) -> str:
    return crash_version(program).removeprefix("crash ")


def _python_version(program: str) -> str:
    said = run([program, "-c", "import sys; print(sys.version.split()[0])"])
    return said.strip()
