# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``bench.fleet`` measures, each in a process of its own; prints one number or a few."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from crashext.dumps.marks import use_threads
from crashext.triage.course import run
from crashext.triage.engines import one_by_one
from crashext.triage.engines.dask import Dask
from crashext.triage.limits import Limits
from crashext.triage.load import load
from crashext.triage.places.find import Item
from crashext.triage.row import Row
from crashext.triage.store import Store
from crashext.triage.work import children, examine, row_of

SAMPLES = Path("sample_dumps")


def urls(count: int) -> list[str]:
    """So many dumps, the samples again and again; those that take a second or more left out."""
    names = [
        p for p in sorted(SAMPLES.glob("[aops]*.*")) if p.suffix in (".elf", ".flat", ".kdump")
    ]
    return [str(names[number % len(names)].resolve()) for number in range(count)]


def cpu_seconds() -> float:
    """Of this process and its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def overhead() -> None:
    """CPU seconds of triage's work over dumps, and of the library called in a bare loop."""
    load()
    use_threads(1)
    paths = urls(60)
    for path in paths[:20]:
        examine(path)
    for work in (row_of, examine):
        start = cpu_seconds()
        for path in paths:
            work(path)
        children.end()
        print(cpu_seconds() - start)


def rate(workers: int) -> None:
    """Dumps in a second, from the tenth on: a cluster takes two seconds to start."""
    paths, start = urls(200), 0.0
    for number, _ in enumerate(Dask(workers=workers)(row_of, paths)):
        if number == 9:
            start = time.perf_counter()
    print((len(paths) - 10) / (time.perf_counter() - start))


def cost(path: str) -> None:
    """Bytes and requests for a file that is read as a remote one is."""
    row = row_of(f"local://{path}", Limits(memory=4 << 30))
    if row.release is None:
        sys.exit(f"bench: {path}: {row.verdict}, {row.reason}")
    print(row.bytes_read, row.requests)


def simulated(url: str) -> Row:
    """A row as long as most."""
    return Row(url, "47185920 mtime 1", 47185920, verdict="needs_repair", reason="x" * 100,
               release="6.1.0-56-cloud-amd64", panic="y" * 80, last_log="z" * 80)  # fmt: skip


def driver_memory(count: int, workers: int) -> None:
    """Peak bytes of the process that hands out so many dumps and keeps their rows.

    Without workers it makes the rows, too.
    """
    engine = Dask(workers=workers) if workers else one_by_one
    with tempfile.TemporaryDirectory() as folder, Store(f"{folder}/rows.sqlite") as store:
        store.ask(Item(f"s3://dumps/2026/{number}.kdump", "1 mtime 1") for number in range(count))
        told = 0

        def tell(row: Row, known: bool) -> None:
            nonlocal told
            told += 1

        run(store, lambda _, urls: engine(simulated, urls), Limits(), tell)
    assert told == count
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    job, *words = sys.argv[1:]
    globals()[job](*(int(word) if word.isdigit() else word for word in words))
