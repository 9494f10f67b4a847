# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on many pieces of a dump in several processes, results in order.

Processes, as threads gain nothing here: compressing 4 KiB takes 5 to 50 us, and each time
the interpreter's lock has to be got back. They are forked, so they have the open dump (which
is read with pread, at no common position), and they put bulk data into memory that is
shared. Each has two pieces at a time, whatever the dump's size: one worked on while the
other's result is written.
"""

from __future__ import annotations

import mmap
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import count, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item, memoryview], Result]

_AHEAD = 2


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def in_order(
    work: Work[Item, Result], items: Iterable[Item], room: int, processes: int
) -> Generator[tuple[Result, memoryview], None, None]:
    """``work(item, memory)`` for all items in ``processes`` processes, ascending.

    ``memory`` is ``room`` bytes that the work may fill and that come with its result, good
    until the next one is asked for. Nothing is left running when the iterator is closed. A
    process that has other threads isn't forked.

    Raises:
        ChildProcessError: a process was killed.
    """
    if processes < 2 or threading.active_count() > 1:
        memory = memoryview(mmap.mmap(-1, room))
        for item in items:
            yield work(item, memory), memory
        return
    with ExitStack() as running:
        workers: list[_Worker[Item, Result]] = []
        for _ in range(processes):
            workers.append(_Worker(work, room, [worker.pipe for worker in workers]))
            running.callback(workers[-1].stop)
        yield from _dealt(workers, iter(items))


def _dealt(
    workers: list[_Worker[Item, Result]], items: Iterator[Item]
) -> Iterator[tuple[Result, memoryview]]:
    """Items dealt out in turn, so that results come in order by asking in turn."""
    turns = deque(workers * _AHEAD)
    waiting: deque[_Worker[Item, Result]] = deque()
    while True:
        for worker, item in zip(islice(turns, len(turns)), items, strict=False):
            worker.give(item)
            waiting.append(worker)
        turns.clear()
        if not waiting:
            return
        turns.append(waiting.popleft())
        yield turns[0].take()


class _Worker(Generic[Item, Result]):
    def __init__(self, work: Work[Item, Result], room: int, others: list[Connection]) -> None:
        """Start a process; ``others`` are the pipes of those before it, which it closes.

        A pipe that only this process holds tells its end to the worker.
        """
        context = get_context("fork")
        self._slots = [memoryview(mmap.mmap(-1, room)) for _ in range(_AHEAD)]
        self._taken = 0
        self.pipe, theirs = context.Pipe()
        closed = [*others, self.pipe]
        self._process = context.Process(
            target=_serve, args=(work, theirs, closed, self._slots), daemon=True
        )
        # Ctrl-C is for the parent, and must not find the child before it knows that.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def give(self, item: Item) -> None:
        """Have it work on ``item``."""
        try:
            self.pipe.send(item)
        except OSError:
            raise self._gone() from None

    def take(self) -> tuple[Result, memoryview]:
        """The result of what was given first."""
        slot = self._slots[self._taken % _AHEAD]
        self._taken += 1
        try:
            done, value = self.pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if not done:
            raise _rebuilt(*value)
        return value, slot

    def _gone(self) -> ChildProcessError:
        self._process.join(1)
        return ChildProcessError(f"a worker process ended with {self._process.exitcode}")

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self.pipe.close()
        self._process.kill()
        self._process.join()
        self._process.close()


def _serve(
    work: Work[Any, Any], pipe: Connection, closed: list[Connection], slots: list[memoryview]
) -> None:
    """What a worker does until its pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    for other in closed:
        other.close()
    # The pipe ends or breaks when the parent has what it wants, or is gone.
    with suppress(EOFError, OSError):
        for turn in count():
            item = pipe.recv()
            try:
                answer: tuple[bool, Any] = True, work(item, slots[turn % _AHEAD])
            except Exception as error:
                answer = False, (type(error), error.args, vars(error))
            pipe.send(answer)


def _rebuilt(kind: type[Exception], args: tuple[Any, ...], facts: dict[str, Any]) -> Exception:
    """An exception of a worker, made without its constructor, which may want other words."""
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(facts)
    return error
