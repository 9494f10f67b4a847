# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import islice

from ..row import Row
from ..work import failed
from . import Work

Dealt = tuple[str, int]
"""A URL, and how many workers died that had it."""

_WAITING = 2  # times the workers: so many dumps are handed out, however many there are
_DEATHS = 3  # of workers, until the dump that they had is left


class Pool:
    """An engine of so many workers; one that dies is replaced, and its dump looked at again."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    @property
    def pids(self) -> list[int]:
        """Of the workers that there are."""
        return list((self._pool and self._pool._processes) or ())

    def __call__(self, work: Work, urls: Iterable[str]) -> Iterator[Row]:
        """See :data:`Engine`."""
        fresh = ((url, 0) for url in urls)
        suspects: deque[Dealt] = deque()
        try:
            while True:
                # Of those that were out when a worker died each is tried alone: it may be innocent.
                alone = bool(suspects)
                dealt, workers = (_drained(suspects), 1) if alone else (fresh, self._workers)
                lost = yield from self._until_one_dies(work, dealt, workers)
                if not lost and not alone:
                    return
                for url, deaths in lost:
                    if deaths < _DEATHS:
                        suspects.append((url, deaths))
                    else:
                        yield failed(url, "killed", f"{deaths} workers died that had it")
        finally:
            self._end()

    def _until_one_dies(
        self, work: Work, dealt: Iterator[Dealt], workers: int
    ) -> Generator[Row, None, list[Dealt]]:
        """Rows, until there are no more or a worker dies; then what was out."""
        # No worker is a copy of this process: threads and connections don't survive that.
        context = multiprocessing.get_context("forkserver")
        self._pool = pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start)
        most = 1 if workers == 1 else workers * _WAITING
        out: dict[Future[Row], Dealt] = {}
        lost: list[Dealt] = []
        while not lost:
            for url, deaths in islice(dealt, most - len(out)):
                try:
                    out[pool.submit(work, url)] = url, deaths
                except BrokenProcessPool:
                    lost.append((url, deaths + 1))
            if not out:
                break
            for done in wait(out, return_when=FIRST_COMPLETED).done:
                url, deaths = out.pop(done)
                try:
                    yield done.result()
                except BrokenProcessPool:
                    lost.append((url, deaths + 1))
        self._end()
        return [*lost, *((url, deaths + 1) for url, deaths in out.values())]

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        workers = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            with suppress(OSError, ValueError):
                worker.terminate()


def _start() -> None:
    """A worker ends at Ctrl-C without a word: who started it says what there is to say."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _drained(queue: deque[Dealt]) -> Iterator[Dealt]:
    while queue:
        yield queue.popleft()
