# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that the lab raises on purpose."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


class LabError(Exception):
    """Something in the lab did not work; the message says what and where to look."""


class Unavailable(LabError):
    """What a guest needs can't be had at the moment: it is left out, the others are made."""


def run(command: Sequence[str | Path], *, timeout: float = 600, cwd: Path | None = None) -> str:
    """Run a tool and return its standard output.

    Raises:
        LabError: the tool is missing, fails or takes longer than ``timeout`` seconds.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=timeout, cwd=cwd, check=False
        )
    except FileNotFoundError as missing:
        raise LabError(f"{words[0]}: not installed (run `make setup`)") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{' '.join(words)}: not done after {timeout:.0f} s") from late
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise LabError(f"{' '.join(words)}: exit status {done.returncode}: {last[0]}")
    return done.stdout
