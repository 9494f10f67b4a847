# SPDX-License-Identifier: GPL-3.0-or-later
"""What one dump may cost, whatever is in it: a child process that the system holds to it."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from ..budget import MEMORY
from ..text import size_text
from .row import Failure

_OUT_OF_MEMORY, _BROKEN = 71, 70  # exit statuses of the child
_forking = threading.Lock()
_STACK = 1 << 20  # bytes of a thread's: the usual 8 MiB of each count as taken


@dataclass(frozen=True)
class Limits:
    """For one dump.

    Attributes:
        seconds: of the clock on the wall.
        memory: bytes that the process may take for it, beside what it has.
        read: bytes that may be fetched of a file that isn't local.
        tables: bytes for its tables, as ``--max-memory``.
        tries: how often a request is made until it succeeds.
    """

    seconds: float = 300.0
    memory: int = 1 << 30
    read: int = 256 << 20
    tables: int = MEMORY
    tries: int = 4


class Ended(NamedTuple):
    """What a child answered: bytes, or why there are none; ``again``: another may have some."""

    data: bytes = b""
    failure: Failure | None = None
    reason: str = ""
    again: bool = False


class Child:
    """A process that does one thing after the other, each within limits; this one goes on.

    It ends with the first thing that it can't do, and when this process ends.
    """

    def __init__(self, work: Callable[[str, Limits], bytes]) -> None:
        """Start it.

        Raises:
            OSError: no process can be started.
        """
        self.asked = 0
        with _forking:  # or another thread's child would hold the pipes open, too
            requests, self._requests = os.pipe()
            self._answers, answers = os.pipe()
            try:
                self.pid = os.fork()
                if self.pid == 0:
                    _serve(work, requests, answers)
            except OSError:
                self._close()
                raise
            finally:
                os.close(requests)
                os.close(answers)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.pid > 0

    def ask(self, what: str, limits: Limits) -> Ended:
        """What its work gives, or why it has ended."""
        self.asked += 1
        data = None
        try:
            with suppress(OSError):  # it has ended already
                _send(self._requests, pickle.dumps((what, limits)))
                data = _receive(self._answers)
        except BaseException:
            self.end()
            raise
        return _ended(self._waited_for(), limits) if data is None else Ended(data)

    def end(self) -> None:
        """End it, whatever it does."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._waited_for()

    def _waited_for(self) -> int:
        self._close()
        child, self.pid = self.pid, 0
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _close(self) -> None:
        os.close(self._requests)
        os.close(self._answers)


def in_child(work: Callable[[], bytes], limits: Limits) -> Ended:
    """What ``work`` gives, done in a child of its own within the limits."""
    try:
        child = Child(lambda what, limits: work())
    except OSError as error:
        return Ended(failure="killed", reason=f"no process can be started: {error.strerror}")
    try:
        return child.ask("", limits)
    finally:
        child.end()


def _send(pipe: int, data: bytes) -> None:
    data = len(data).to_bytes(8, "little") + data
    while data:
        data = data[os.write(pipe, data) :]


def _receive(pipe: int) -> bytes | None:
    """What was sent; None where the other side has ended before all of it was."""
    data, most = b"", 8
    while len(data) < most:
        part = os.read(pipe, most - len(data))
        if not part:
            return None
        data += part
        if most == 8 == len(data):
            most += int.from_bytes(data, "little")
    return data[8:]


def _serve(work: Callable[[str, Limits], bytes], requests: int, answers: int) -> NoReturn:
    """The child's whole life."""
    status = _BROKEN
    try:
        _leave_alone(requests, answers)
        threading.stack_size(_STACK)
        # Who waits for a thread that lacks memory waits for ever: it says nothing to anybody.
        sys.unraisablehook = threading.excepthook = _in_a_thread
        had = _taken()
        while (request := _receive(requests)) is not None:
            what, limits = pickle.loads(request)
            signal.setitimer(signal.ITIMER_REAL, limits.seconds)
            resource.setrlimit(resource.RLIMIT_DATA, (had + limits.memory, resource.RLIM_INFINITY))
            data = work(what, limits)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(answers, data)
        status = 0
    except MemoryError:
        status = _OUT_OF_MEMORY
    finally:
        os._exit(status)


def _leave_alone(*kept: int) -> None:
    """Hold nothing of the other process's that somebody could wait for it to close."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    first, second = sorted(kept)
    os.closerange(3, first)
    os.closerange(first + 1, second)
    os.closerange(second + 1, os.sysconf("SC_OPEN_MAX"))


def _in_a_thread(told: sys.UnraisableHookArgs | threading.ExceptHookArgs) -> None:
    """A thread that ends for want of memory ends the child."""
    if issubclass(told.exc_type, MemoryError):
        os._exit(_OUT_OF_MEMORY)


def _taken() -> int:
    """Bytes that this process has for data (proc_pid_statm(5), its sixth number)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[5]) * resource.getpagesize()


def _ended(status: int, limits: Limits) -> Ended:
    if status == -signal.SIGALRM:
        return Ended(failure="limit", reason=f"it took more than {limits.seconds:g} seconds")
    if status == _OUT_OF_MEMORY:
        most = size_text(limits.memory)
        return Ended(failure="limit", reason=f"it needs more than {most} of memory", again=True)
    if status < 0:
        name = signal.Signals(-status).name
        reason = f"the process that read it was killed by {name}"
        return Ended(failure="killed", reason=reason, again=True)
    return Ended(failure="bug", reason="the process that read it broke off (a bug: report it)")
