# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases in forked children, under limits of memory and time.

A case is its container, a seed and a number: a child makes it and uses it, and tells in
shared memory which one it is at. So the case is known that a child dies of, or hangs in.
"""

from __future__ import annotations

import mmap
import os
import random
import resource
import shutil
import struct
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from .cases import CASES
from .models import MODELS
from .use import use

NAMES = (*CASES, *MODELS)
MOST_MEMORY = 100 << 20  # bytes more than a child has that did nothing yet
_BATCH = 2000  # cases of one child
_HANG = 20.0  # seconds on the clock
_SEARCHED = 4  # one case in so many is searched as well
#: What a child says: number of the case, when it began, the slowest one, its seconds and size.
_STATE = struct.Struct("=qdqdq")


class Finding(Exception):
    """A case that isn't as it has to be."""


class Outcome(NamedTuple):
    """How many cases ran, the most memory that a child took more for them, the slowest."""

    cases: int
    peak: int
    seconds: float
    slowest: int


def files_of(name: str, seed: int, number: int) -> list[bytes]:
    """The files of a case; a model makes its own."""
    return CASES[name](_chance(name, seed, number)) if name in CASES else []


def _chance(name: str, seed: int, number: int) -> random.Random:
    return random.Random(f"{name} {seed} {number}")


def run(name: str, seed: int, *, seconds: float, cases: int = 1 << 62) -> Outcome:
    """Run the cases of a container for a while, or so many.

    Raises:
        Finding: what is wrong with which case; its files are kept where the message says.
    """
    end = time.monotonic() + seconds
    outcome = Outcome(0, 0, 0.0, 0)
    with _folder() as folder:
        while time.monotonic() < end and outcome.cases < cases:
            first = outcome.cases
            last = min(first + _BATCH, cases)
            found = _batch(name, seed, range(first, last), folder, end)
            outcome = Outcome(
                first + found.cases, max(outcome.peak, found.peak),
                *max(outcome[2:], found[2:]),
            )  # fmt: skip
    return outcome


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder in memory, if there is such a place; the cache of unpacked files is in it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def _batch(name: str, seed: int, numbers: range, folder: Path, end: float) -> Outcome:
    state = mmap.mmap(-1, _STATE.size)
    report = folder / "report"
    report.write_bytes(b"")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
            _child(name, seed, numbers, folder, end=end, state=state)
            status = 0
        except BaseException:
            report.write_text(traceback.format_exc())
        finally:
            os._exit(status)
    status = _wait(child, state)
    number, _, slowest, seconds, peak = _STATE.unpack(state)
    if status:
        what = report.read_text() or f"the child ended with status {status:#x}: killed or hung"
        raise Finding(f"{name} {seed} {number}: {_kept(name, seed, number)}: {what}")
    return Outcome(number + 1 - numbers.start, peak, seconds, slowest)


def _wait(child: int, state: mmap.mmap) -> int:
    """Wait for a child's end; end it where one case takes far too long."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        _, began, *_ = _STATE.unpack(state)
        if began and time.monotonic() - began > _HANG:
            os.kill(child, 9)
            return os.waitpid(child, 0)[1]
        time.sleep(0.01)


def _child(
    name: str, seed: int, numbers: range, folder: Path, *, end: float, state: mmap.mmap
) -> None:
    before = _memory("VmRSS")
    room = _memory("VmSize") + (512 << 20)  # threads have address space that they don't use
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    slowest, most = 0, 0.0
    for number in numbers:
        _STATE.pack_into(state, 0, number, time.monotonic(), slowest, most, 0)
        took, allowed = _one(name, seed, number, folder)
        if took > most:
            slowest, most = number, took
        if took > allowed:
            raise AssertionError(f"{took:.2f} s of CPU, {allowed:.2f} s are allowed")
        if time.monotonic() > end:
            break
    peak = max(_memory("VmHWM") - before, 0)
    _STATE.pack_into(state, 0, number, 0.0, slowest, most, peak)
    if peak > MOST_MEMORY:
        raise AssertionError(f"{peak >> 20} MiB for one of the cases {numbers}")


def _one(name: str, seed: int, number: int, folder: Path) -> tuple[float, float]:
    """Make a case and use it: seconds that it took, and that its size allows."""
    if name in MODELS:
        started = time.process_time()
        MODELS[name](_chance(name, seed, number), folder / "model")
        return time.process_time() - started, 1.0
    paths, size = [], 0
    for index, data in enumerate(files_of(name, seed, number)):
        paths.append(folder / f"dump{index}")
        paths[-1].write_bytes(data or b"x")
        size += len(data)
    started = time.process_time()
    use(paths, search=number % _SEARCHED == 0)
    took = time.process_time() - started
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return took, 1.0 + size / 1e6


def _kept(name: str, seed: int, number: int) -> str:
    """Keep the files of a case in the current folder, and name them."""
    kept = []
    for index, data in enumerate(files_of(name, seed, number)):
        kept.append(f"finding-{name}-{seed}-{number}.{index}")
        Path(kept[-1]).write_bytes(data)
    return " ".join(kept) or "no files"


def _memory(what: str) -> int:
    """Bytes that the system counts for this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(what + ":")[1].split()[0]) * 1024
