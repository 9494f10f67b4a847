# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines of qemufix in a process whose writes go wrong at a given call (fault.c).

``python -m tests.repair.faulty`` serves one request a line, each in a fork of its own, so that
a test of hundreds of faults starts one interpreter.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

ROOT = Path(__file__).parents[2]
#: As fault.c numbers them.
KINDS = ("kill", "torn", "short", "eio", "eio-ever", "full", "lost", "holed")

_USED = ("cli.repair", "locate", "repair.course", "kernel.kernel", "symbols.vmlinux")


class Ended(NamedTuple):
    """How a command line ended: status (negative: a signal), calls that count, its stderr."""

    status: int
    calls: int
    err: str


class Faulty:
    """A server of faulty command lines on the files of ``folder``."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.repair.faulty"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env=os.environ | {"LD_PRELOAD": str(library), "XDG_CACHE_HOME": "/nonexistent"},
        )  # fmt: skip

    def run(self, *argv: object, at: int = 0, kind: str = "kill") -> Ended:
        """One command line; its call number ``at`` goes wrong, none where that is 0."""
        assert self._process.stdin is not None and self._process.stdout is not None
        words = [str(word) for word in argv]
        request = [str(self._folder.resolve()), at, KINDS.index(kind), words]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._process.communicate()


def main() -> None:
    """Serve until the input ends."""
    for module in _USED:  # the forks need not load them
        import_module(f"crashext.{module}")
    shim = ctypes.CDLL(None)
    shim.fault_count.restype = ctypes.c_long
    for line in sys.stdin:
        folder, at, kind, argv = json.loads(line)
        with tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as calls:
            child = os.fork()
            if child == 0:
                _be_the_child(shim, folder, at, kind, argv, err.fileno(), calls.fileno())
            _, wait_status = os.waitpid(child, 0)
            err.seek(0)
            calls.seek(0)
            text = err.read().decode(errors="replace")
            answer = [os.waitstatus_to_exitcode(wait_status), int(calls.read() or b"0"), text]
        print(json.dumps(answer), flush=True)


def _be_the_child(
    shim: ctypes.CDLL, folder: str, at: int, kind: int, argv: list[str], err: int, calls: int
) -> None:
    from crashext.cli import run

    status = 99
    try:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(err, 2)
        shim.fault_arm(folder.encode(), ctypes.c_long(at), kind)
        status = run(argv)
        sys.stderr.flush()
        os.write(calls, str(shim.fault_count()).encode())
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
