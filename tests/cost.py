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
_USUALLY = 0.4  # seconds for that on a slow machine that does nothing else
_MORE_TRIES = 3  # now and then a busy machine takes twice the CPU time for the same


class Cost(NamedTuple):
    """How a command ended, what it printed and took: peak resident bytes, seconds of CPU.

    ``slowness`` is how many times as long as usual the machine takes just now: what the host of
    a virtual machine takes for others counts as CPU time there.
    """

    status: int
    peak: float
    seconds: float
    slowness: float
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
        taken = min(taken, cost(*argv, path), key=lambda each: each.seconds / each.slowness)
    assert taken.status in allowed, taken
    assert taken.err.count("\n") == 0 and "a bug" not in taken.err, taken.err
    assert taken.peak <= MOST_MEMORY, f"{taken.peak / 1e6:.0f} MB: {taken.err}"
    about = f"{taken.seconds:.2f} s for {on_disk} bytes, {taken.slowness:.1f} times slower"
    assert taken.seconds / taken.slowness <= most, about
    return taken


def _going_through_memory() -> float:
    """Seconds of CPU for copying and comparing, as unpacking does."""
    start, block = time.process_time(), bytes(1 << 16)
    for _ in range(4000):
        data = b"".join([block[:-1] + b"\1"] * 16)
        for at in range(0, len(data), len(block)):
            block.startswith(data[at : at + len(block)])
    return time.process_time() - start


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main() -> None:
    """Be the process that is measured; the last line of stderr tells what it took."""
    from crashext.cli import run

    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    status = run(sys.argv[1:])
    facts = {"status": status, "peak": _peak(), "seconds": time.process_time(), "slowness": 1.0}
    if facts["seconds"] > 1:
        facts["slowness"] = max(_going_through_memory() / _USUALLY, 1.0)
    print(json.dumps(facts), file=sys.stderr)


if __name__ == "__main__":
    main()
