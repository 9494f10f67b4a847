# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command and saying what it cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

QEMUFIX = (sys.executable, "-m", "crashext")


class Cost(NamedTuple):
    """What one run took: seconds on the clock and of CPU, peak resident bytes."""

    wall: float
    cpu: float
    rss: int

    def __str__(self) -> str:
        return f"{self.wall:.3f} s"


def run(command: Sequence[str], *, statuses: tuple[int, ...] = (0,), piped: bool = False) -> Cost:
    """Run it to its end, output thrown away; ``piped``: into a pipe, and read.

    Raises:
        SystemExit: it ended with another status than expected.
    """
    started = time.perf_counter()
    out = subprocess.PIPE if piped else subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, env=environment()
    ) as process:
        if process.stdout is not None:
            process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in statuses:
        sys.exit(f"bench: exit status {process.returncode} from {' '.join(command)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def best(
    command: Sequence[str],
    times: int = 5,
    *,
    statuses: tuple[int, ...] = (0,),
    piped: bool = False,
) -> Cost:
    """The quickest of several runs: other work on the machine only ever adds."""
    return min(run(command, statuses=statuses, piped=piped) for _ in range(times))


def environment() -> dict[str, str]:
    """Ours, with a terminal's name for crash."""
    return {"TERM": "dumb", **os.environ}


def crash_script(folder: Path, *commands: str) -> Path:
    """An input file for ``crash -i`` that ends the session."""
    script = folder / "commands"
    script.write_text("".join(f"{c}\n" for c in (*commands, "exit")), encoding="ascii")
    return script


class Figure(NamedTuple):
    """One line of the report: what was measured, and whether it keeps the promise."""

    what: str
    detail: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the value is on the right side of the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign, mark = (">=" if self.at_least else "<="), ("ok" if self.kept else "MISSED")
        return f"{mark:6} {self.value:8.3f} {sign} {self.limit:<6g} {self.what}: {self.detail}"
