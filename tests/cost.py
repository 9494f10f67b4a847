# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command costs: run in a process of its own, under limits of memory and time.

``python -m tests.cost COMMAND...`` is that process. It measures itself: what the system
counts for a child begins with the memory of who started it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
#: What detect and physbase promise, whatever the file says.
MOST_MEMORY = 150e6
#: Where a process is stopped that keeps no promise: address space, and seconds of CPU.
_ADDRESS_SPACE, _SECONDS = 1 << 30, 30
_MORE_TRIES = 3  # now and then a busy machine takes twice the CPU time for the same


class Cost(NamedTuple):
    """How a command ended, what it printed and took: peak resident bytes, seconds of CPU."""

    status: int
    peak: float
    seconds: float
    out: str
    err: str


def cost(*argv: str | Path, environment: dict[str, str] | None = None) -> Cost:
    """Run a command line of qemufix."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cost", *map(str, argv)],
        capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL,
        env=os.environ | (environment or {}),
    )  # fmt: skip
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
    *err, facts = done.stderr.splitlines()
    return Cost(**json.loads(facts), out=done.stdout, err="\n".join(err))


def assert_cheap(path: Path, *argv: str, allowed: tuple[int, ...] = (0, 1, 3)) -> Cost:
    """Run the command on a file, and see that it keeps the promise."""
    taken, on_disk = cost(*argv, path), path.stat().st_blocks * 512
    most = 1 + on_disk / 1e6
    for _ in range(_MORE_TRIES):
        if taken.seconds <= most:
            break
        taken = min(taken, cost(*argv, path), key=lambda each: each.seconds)
    assert taken.status in allowed, taken
    assert taken.err.count("\n") == 0 and "a bug" not in taken.err, taken.err
    assert taken.peak <= MOST_MEMORY, f"{taken.peak / 1e6:.0f} MB: {taken.err}"
    assert taken.seconds <= most, f"{taken.seconds:.2f} s for {on_disk} bytes"
    return taken


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Be the process that is measured; the last line of stderr tells what it took."""
    from crashext.cli import run

    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    status = run(sys.argv[1:])
    facts = {"status": status, "peak": _peak(), "seconds": time.process_time()}
    print(json.dumps(facts), file=sys.stderr)


if __name__ == "__main__":
    main()
