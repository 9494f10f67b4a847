# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a program: the one that the user names, or the one in PATH."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import LaunchError
from ..text import printable

_PATIENCE = 60.0  # seconds for an answer


def chosen_program(name: str, option: str) -> str:
    """The path of the program that the user chose.

    Raises:
        LaunchError: there is no such program.
    """
    found = shutil.which(name)
    if found is None:
        raise LaunchError(f"{option} {printable(name)}: there is no such program")
    return found


def in_path(*names: str) -> str | None:
    """The first of the programs that there is."""
    return next((found for name in names if (found := shutil.which(name))), None)


def beside_python(name: str) -> str | None:
    """A program of the environment that our Python belongs to."""
    path = Path(sys.executable).parent / name
    return shutil.which(path)


def said_by(command: Sequence[str]) -> str:
    """What a program prints that is asked about itself; "" where it does not come to an answer."""
    try:
        done = subprocess.run(
            command,
            capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
