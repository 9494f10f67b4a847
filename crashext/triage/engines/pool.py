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
from itertools import chain, islice

from ..row import Row
from ..work import failed
from . import Work

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
        again: deque[tuple[str, int]] = deque()
        fresh = ((url, 0) for url in urls)
        try:
            while True:
                self._pool = self._new()
                lost = yield from self._until_broken(work, chain(_drained(again), fresh))
                if not lost:
                    return
                for url, deaths in lost:
                    if deaths >= _DEATHS:
                        yield failed(url, "killed", f"{deaths} workers that had it died")
                    else:
                        again.append((url, deaths))
        finally:
            self._end()

    def _new(self) -> ProcessPoolExecutor:
        # No worker is a copy of this process: threads and connections don't survive that.
        context = multiprocessing.get_context("forkserver")
        return ProcessPoolExecutor(self._workers, mp_context=context, initializer=_start)

    def _until_broken(
        self, work: Work, urls: Iterator[tuple[str, int]]
    ) -> Generator[Row, None, list[tuple[str, int]]]:
        """Rows, until there are no more or a worker dies; then what it and others had."""
        out: dict[Future[Row], tuple[str, int]] = {}
        lost: list[tuple[str, int]] = []
        while True:
            try:
                for url, deaths in islice(urls, self._workers * _WAITING - len(out)):
                    lost.append((url, deaths + 1))  # if handing it out fails
                    out[self._given(work, url)] = lost.pop()
            except BrokenProcessPool:
                self._end()
                return [*lost, *((url, deaths + 1) for url, deaths in out.values())]
            if not out:
                return []
            for done in wait(out, return_when=FIRST_COMPLETED).done:
                url, deaths = out.pop(done)
                try:
                    yield done.result()
                except BrokenProcessPool:
                    lost.append((url, deaths + 1))
            if lost:
                self._end()
                return [*lost, *((url, deaths + 1) for url, deaths in out.values())]

    def _given(self, work: Work, url: str) -> Future[Row]:
        assert self._pool is not None
        return self._pool.submit(work, url)

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


def _drained(queue: deque[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    while queue:
        yield queue.popleft()
