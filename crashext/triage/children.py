# SPDX-License-Identifier: GPL-3.0-or-later
"""Children that are kept from one dump to the next: starting one costs more than a small dump."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .limits import Child, Ended, Limits

_MOST = 200  # dumps that one child looks at: what it may have kept of them goes with it


class Children:
    """Those that do one work, each for one who asks at a time; a fork starts without any."""

    def __init__(self, work: Callable[[str, Limits], bytes]) -> None:
        self._work = work
        self.idle: list[Child] = []
        os.register_at_fork(after_in_child=self.idle.clear)

    def ask(self, what: str, limits: Limits) -> Ended:
        """What the work gives; of another child where the first may have been to blame."""
        try:
            with self._child() as child:
                fresh, ended = not child.asked, child.ask(what, limits)
            if ended.again and (ended.failure == "killed" or not fresh):
                with self._child(fresh=True) as child:
                    ended = child.ask(what, limits)
        except OSError as error:
            return Ended(failure="killed", reason=f"no process can be started: {error.strerror}")
        return ended

    def end(self) -> None:
        """End those that wait for another dump."""
        while self.idle:
            self.idle.pop().end()

    @contextmanager
    def _child(self, *, fresh: bool = False) -> Iterator[Child]:
        """A child that nobody else asks meanwhile."""
        try:
            child = Child(self._work) if fresh else self.idle.pop()
        except IndexError:
            child = Child(self._work)
        yield child
        if child.asked >= _MOST:
            child.end()
        if child.alive:
            self.idle.append(child)
