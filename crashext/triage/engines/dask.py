# SPDX-License-Identifier: GPL-3.0-or-later
"""A Dask cluster: one that runs already, or one on this machine for as long as it takes.

What is done where and when, and again where a worker died, is Dask's to decide.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from typing import Any

from distributed import Client, Future, KilledWorker, LocalCluster, as_completed

from ... import __version__
from ...errors import EngineError
from ..row import Row
from ..work import failed
from . import Work

_OUT = 1000  # dumps that a cluster is asked for at a time, however many there are
_PARTS = 20  # of those, asked for as so many others are done
_PATIENCE = 30  # seconds for a scheduler to answer


class Dask:
    """An engine: the cluster of ``scheduler`` (its address), or so many workers of its own."""

    def __init__(self, scheduler: str | None = None, workers: int = 1) -> None:
        self._scheduler, self._workers = scheduler, workers
        self.client: Client | None = None
        """While it runs."""

    def __call__(self, work: Work, urls: Iterable[str]) -> Iterator[Row]:
        """See :data:`Engine`.

        Raises:
            EngineError: the scheduler can't be reached or was lost, or its workers are no use.
        """
        urls = iter(urls)
        if (first := next(urls, None)) is None:
            return
        with ExitStack() as held:
            self.client = client = held.enter_context(self._started(held))
            held.callback(setattr, self, "client", None)
            lost = yield from _rows(client, work, chain((first,), urls), _OUT)
            # Who was with a dump that ends its workers may be innocent: each is tried alone.
            for url in (yield from _rows(client, work, lost, 1)):
                yield failed(url, "killed", "the workers died that had it")

    def _started(self, held: ExitStack) -> Client:
        try:
            if self._scheduler is not None:
                return Client(self._scheduler, timeout=_PATIENCE, set_as_default=False)
            return Client(held.enter_context(_own(self._workers)), set_as_default=False)
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            where = self._scheduler or "Dask on this machine"
            raise EngineError(f"{where}: can't be used: {error}") from None


def _own(workers: int) -> LocalCluster:
    """A cluster that nobody else on this machine can give work to: what it says is encrypted."""
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        security=True,
        silence_logs=logging.CRITICAL,
        preload=__name__,
        scheduler_kwargs={
            "allowed_failures": 1,
            "dashboard": False,
            "dashboard_address": "127.0.0.1:0",  # or it would be all of this machine's
        },
        memory_limit=None,  # what takes memory are the children, which the system limits
    )


def dask_setup(worker: object) -> None:
    """What Dask calls in each worker of our own: Ctrl-C is for who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _rows(
    client: Client, work: Work, urls: Iterable[str], most: int
) -> Generator[Row, None, list[str]]:
    """Rows as they are ready, so many asked for at a time at most; then what workers died of."""
    urls = iter(urls)
    out: dict[str, str] = {}
    lost: list[str] = []
    do = partial(look, work, version=__version__)

    def ask(count: int) -> list[Future]:
        # Together: what is handed over to a scheduler costs it more than what is in it.
        some = list(islice(urls, count))
        futures = client.map(do, some, pure=False)
        out.update(zip((future.key for future in futures), some, strict=True))
        return list(futures)

    some = max(most // _PARTS, 1)
    coming = as_completed(ask(most), loop=client.loop)
    for future in coming:
        url = out.pop(future.key)
        try:
            yield Row.of(future.result())
        except KilledWorker:
            lost.append(url)
        except EngineError:
            raise
        except (Exception, CancelledError) as error:
            lost_it = future.cancelled() or isinstance(error, OSError)
            what = "lost its scheduler" if lost_it else f"can't do it: {type(error).__name__}"
            raise EngineError(f"the cluster {what}: {error}") from None
        if len(out) <= most - some:
            coming.update(ask(some))
    return lost


def look(work: Work, url: str, version: str) -> dict[str, Any]:
    """What a worker does; it may be of another version than who asks."""
    if version != __version__:
        raise EngineError(f"a worker has qemufix {__version__}, this is {version}")
    return work(url).to_json()
