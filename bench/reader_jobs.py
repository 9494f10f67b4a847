# SPDX-License-Identifier: GPL-3.0-or-later
"""One reading job in a process of its own: ``python -m bench.reader_jobs JOB FILE [ARG]``.

Prints the CPU seconds that it took and how much it did. ``kdumpfile`` jobs use
libkdumpfile's Python binding, and are run by a Python that has it.
"""

from __future__ import annotations

import os
import random
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

PAGE = 4096
READ = 1 << 20


def opened(path: str) -> tuple[Callable[[int, int], bytes], range]:
    """Our read, and the largest range of RAM."""
    from crashext import open_dump

    dump = open_dump(path)
    ram = max(dump.ram, key=lambda r: r.size)
    return dump.read, range(*ram)


def theirs(path: str) -> Callable[[int, int], bytes]:
    """libkdumpfile's read."""
    import kdumpfile

    context: Any = kdumpfile.kdumpfile(path)
    space = kdumpfile.KDUMP_MACHPHYSADDR
    return lambda paddr, size: context.read(space, paddr, size)


def sequential(read: Callable[[int, int], bytes], ram: range, first: int, step: int) -> int:
    """From the start to the end, every ``step``-th MiB from the ``first`` on."""
    chunks = range(ram.start + (first - 1) * READ, ram.stop, step * READ)
    return sum(len(read(paddr, min(READ, ram.stop - paddr))) for paddr in chunks) // PAGE


def scattered(read: Callable[[int, int], bytes], ram: range, _first: int, _step: int) -> int:
    """Pages here and there."""
    chance = random.Random(1)
    count = 20000
    for _ in range(count):
        read(chance.randrange(ram.start // PAGE, ram.stop // PAGE) * PAGE, PAGE)
    return count


def walk(path: str) -> int:
    """The bare loop over a flattened file's record headers, 16 bytes each."""
    unpack = struct.Struct(">qq").unpack
    fd, at, records = os.open(path, os.O_RDONLY), 4096, 0
    while True:
        start, size = unpack(os.pread(fd, 16, at))
        if start < 0:
            return records
        at += 16 + size
        records += 1


def index(path: str) -> int:
    """Opening it; answers the bytes that the index takes."""
    from crashext.dumps.flattened import FlattenedSource
    from crashext.dumps.source import FileSource

    if sys.argv[4:] == ["memory"]:
        tracemalloc.start()
    FlattenedSource(FileSource(path))
    return tracemalloc.get_traced_memory()[1] if sys.argv[4:] == ["memory"] else 0


def main() -> None:
    """Run the job that the command line names."""
    job, path, part = sys.argv[1], sys.argv[2], sys.argv[3]
    first, last = (int(n) for n in part.split("/"))
    if job in ("walk", "index"):
        import crashext.dumps  # noqa: F401

        started = time.process_time()
        done = {"walk": walk, "index": index}[job](path)
    else:
        how, who = job.split("-")
        ours, ram = opened(path)
        read = ours if who == "ours" else theirs(path)
        started = time.process_time()
        work = sequential if how == "sequential" else scattered
        done = work(read, ram, first, last)
    print(time.process_time() - started, done)


if __name__ == "__main__":
    main()
