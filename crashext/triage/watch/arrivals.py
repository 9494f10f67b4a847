# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as they come into folders: which are there, and which their writers are done with.

Looked for again and again rather than told by inotify: that says nothing of what another machine
writes to a network file system, where such folders lie, and waiting until a file rests takes a
clock anyway. A look costs a ``stat`` of each file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...repair.target import NAMELESS, writer_of
from ..places.find import Item, find, local_path
from ..row import Row

_PATIENCE = 15  # times the rest: so long a file that isn't whole may still become so
_NAMELESS = 5  # times the rest: so long a writer is believed in that can't be named


@dataclass
class _File:
    identity: str
    since: float
    looked: bool = False
    done: bool = False


class Arrivals:
    """The files of folders; each content is given once, when it has come to rest."""

    def __init__(
        self,
        folders: Sequence[str],
        rest: float,
        complain: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``rest`` is in seconds; what goes wrong is complained of once."""
        self._folders, self._rest, self._clock = folders, rest, clock
        self._complain, self._said = complain, set[str]()
        self._files: dict[str, _File] = {}

    def ready(self) -> list[Item]:
        """What is to be looked at now: whole as far as it can be told without reading it.

        A file that was given and is not :meth:`settled` is given again when it has changed, or
        when it has been at rest for long.
        """
        now, there = self._clock(), {}
        for url, identity in find(self._folders, self._say):
            if identity is None:
                continue
            known = self._files.get(url)
            same = known is not None and known.identity == identity
            there[url] = known if known and same else _File(identity, now)
        self._files = there  # what has vanished is forgotten
        return [Item(url, file.identity) for url, file in there.items()
                if not file.done and self._rests(url, now - file.since, file.looked)]  # fmt: skip

    def settled(self, row: Row) -> bool:
        """Whether a row is the last word on a file that was given; else it will be given again."""
        file = self._files.get(row.url)
        if file is None or not Path(local_path(row.url)).exists():
            return False
        if _doubtful(row) and self._clock() - file.since < self._rest * _PATIENCE:
            file.looked = True
            return False
        self.pass_by(row)
        return True

    def pass_by(self, row: Row) -> None:
        """What the row is of is known: it isn't given as long as it stays so."""
        file = self._files[row.url]
        # A dump that was repaired is another; of one that couldn't be read there is no identity.
        file.identity = row.identity or file.identity
        file.done = True

    def _rests(self, url: str, age: float, looked: bool) -> bool:
        if age < self._rest * (_PATIENCE if looked else 1):
            return False
        writer = writer_of(Path(local_path(url)).resolve())
        # A file system without leases may refuse one as if there were a writer.
        return writer is None or (writer == NAMELESS and age >= self._rest * _NAMELESS)

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._complain(text)


def _doubtful(row: Row) -> bool:
    """Whether it may be that the rest of the file is still to come."""
    return row.verdict in ("damaged", "not_a_dump") or row.failure in ("unreadable", "changed")
