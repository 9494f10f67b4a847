# SPDX-License-Identifier: GPL-3.0-or-later
"""The speed of reading dumps, against libkdumpfile and against bare loops."""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Figure

KDUMP = Path("lab/dumps/ovmf-kaslr.kdump")
FLAT = Path("lab/dumps/ovmf-kaslr.flat")
#: Debian's Python, for which its python3-libkdumpfile is.
SYSTEM_PYTHON = "/usr/bin/python3"
FLAT_SIZE = 1_300_000_000
RECORD = 16384  # what QEMU writes at a time


def _command(job: str, path: Path, part: str = "1/1", *more: str) -> list[str]:
    python = SYSTEM_PYTHON if job.endswith("kdumpfile") else sys.executable
    return [python, "-m", "bench.reader_jobs", job, str(path), part, *more]


def _cost(job: str, path: Path, *more: str, times: int = 3) -> tuple[float, int]:
    """The least CPU time of a few runs, and what was done."""
    results = []
    for _ in range(times):
        done = subprocess.run(
            _command(job, path, *more), capture_output=True, text=True, check=True
        )
        seconds, count = done.stdout.split()
        results.append((float(seconds), int(count)))
    return min(results)


def _libkdumpfile() -> bool:
    return not subprocess.run(
        [SYSTEM_PYTHON, "-c", "import kdumpfile"], capture_output=True, check=False
    ).returncode


def reading() -> Iterator[Figure]:
    """Rates of one core against libkdumpfile's, and of two against one."""
    if not _libkdumpfile():
        print("skipped: libkdumpfile's figures (apt install python3-libkdumpfile)")
        return
    for job, what, limit in (("sequential", "whole kdump", 1.0), ("random", "random pages", 0.5)):
        ours, pages = _cost(f"{job}-ours", KDUMP)
        theirs, _ = _cost(f"{job}-kdumpfile", KDUMP)
        detail = f"{ours / pages * 1e6:.1f} us a page, libkdumpfile {theirs / pages * 1e6:.1f} us"
        yield Figure(f"{what}, times libkdumpfile's rate", detail, theirs / ours, limit, True)
    one, two = _at_once("1/1"), _at_once("1/2", "2/2")
    detail = f"one process {one:.2f} s, each of two that share it {two:.2f} s, of CPU"
    yield Figure("whole kdump, two cores times one", detail, one / two, 1.6, True)


def _at_once(*parts: str) -> float:
    """The CPU time of the slowest of processes that run at once: on as many free cores it is
    the time on the clock, and on busy ones it isn't spoilt.
    """
    times = []
    for _ in range(3):
        jobs = [
            subprocess.Popen(_command("sequential-ours", KDUMP, part), stdout=subprocess.PIPE)
            for part in parts
        ]
        outputs = [job.communicate()[0] for job in jobs]
        if any(job.returncode for job in jobs):
            sys.exit("bench: a reading job failed")
        times.append(max(float(output.split()[0]) for output in outputs))
    return min(times)


def flattened() -> Iterator[Figure]:
    """Opening a large flattened file against a bare loop over its record headers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.flat"
        _enlarge(path)
        bare, records = _cost("walk", path)
        ours, _ = _cost("index", path)
        memory = _cost("index", path, "1/1", "memory", times=1)[1]
    detail = f"{ours:.3f} s, bare loop over {records} records {bare:.3f} s"
    yield Figure("opening 1.3 GB flattened, times a bare loop", detail, ours / bare, 2.0)
    detail = f"{memory / 1e6:.1f} MB at its peak"
    yield Figure("index of it, per cent of the file", detail, memory / FLAT_SIZE * 100, 1.0)


def _enlarge(path: Path) -> None:
    """Copy the lab's flattened dump and add records, descriptors and data in turn.

    Their data are holes of the file: only the headers are read here.
    """
    data = FLAT.read_bytes()[:-16]
    end, table, pages = len(data), 1 << 40, 1 << 41
    with path.open("wb") as file:
        file.write(data)
        while end < FLAT_SIZE:
            table, pages = pages, table
            file.seek(end)
            file.write(struct.pack(">qq", table, RECORD))
            table += RECORD
            end += 16 + RECORD
        file.seek(end)
        file.write(b"\xff" * 16)
