# SPDX-License-Identifier: GPL-3.0-or-later
"""What one dump may cost, whatever is in it: a child process that the system holds to it."""

from __future__ import annotations

import os
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
    """What a child left: bytes, or why there are none."""

    data: bytes = b""
    failure: Failure | None = None
    reason: str = ""


def in_child(work: Callable[[], bytes], limits: Limits) -> Ended:
    """What ``work`` gives, done in a child process within the limits.

    Whatever the child comes to, this process goes on.
    """
    with _forking:  # or another thread's child would hold the pipe open, too
        reader, writer = os.pipe()
        try:
            child = os.fork()
        except OSError as error:
            os.close(reader)
            os.close(writer)
            return Ended(failure="killed", reason=f"no process can be started: {error.strerror}")
        if child == 0:
            _do(work, writer, limits)
        os.close(writer)
    try:
        with open(reader, "rb") as pipe:  # noqa: PTH123
            data = pipe.read()
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        raise
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return _ended(status, data, limits)


def _do(work: Callable[[], bytes], writer: int, limits: Limits) -> NoReturn:
    """The child's whole life."""
    status = _BROKEN
    try:
        # Whoever waits for a connection of this process to end would wait for its child, too.
        os.closerange(3, writer)
        os.closerange(writer + 1, os.sysconf("SC_OPEN_MAX"))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, limits.seconds)
        threading.stack_size(_STACK)
        # Who waits for a thread that lacks memory waits for ever: it says nothing to anybody.
        sys.unraisablehook = threading.excepthook = _in_a_thread
        most = _taken() + limits.memory
        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))
        data = work()
        while data:
            data = data[os.write(writer, data) :]
        status = 0
    except MemoryError:
        status = _OUT_OF_MEMORY
    finally:
        os._exit(status)


def _in_a_thread(told: sys.UnraisableHookArgs | threading.ExceptHookArgs) -> None:
    """A thread that ends for want of memory ends the child."""
    if issubclass(told.exc_type, MemoryError):
        os._exit(_OUT_OF_MEMORY)


def _taken() -> int:
    """Bytes that this process has for data (proc_pid_statm(5), its sixth number)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[5]) * resource.getpagesize()


def _ended(status: int, data: bytes, limits: Limits) -> Ended:
    if status == 0:
        return Ended(data)
    if status == -signal.SIGALRM:
        return Ended(failure="limit", reason=f"it took more than {limits.seconds:g} seconds")
    if status == _OUT_OF_MEMORY:
        most = size_text(limits.memory)
        return Ended(failure="limit", reason=f"it needs more than {most} of memory")
    if status < 0:
        name = signal.Signals(-status).name
        return Ended(failure="killed", reason=f"the process that read it was killed by {name}")
    return Ended(failure="bug", reason="the process that read it broke off (a bug: report it)")
