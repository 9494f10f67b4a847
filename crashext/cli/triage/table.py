# SPDX-License-Identifier: GPL-3.0-or-later
"""The live table of ``triage`` on a terminal."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ...text import shown

if TYPE_CHECKING:
    from ...triage.row import Row
    from .tally import Tally

_LAST = 12  # rows at a time
_STYLES = {"openable": "green", "needs_repair": "yellow", "uncertain": "yellow",
           "damaged": "red", "failed": "red", "not_a_dump": "dim"}  # fmt: skip


class LiveTable:
    """Called with each row; the last ones stay in view, under how far it is."""

    def __init__(self, out: TextIO, tally: Tally) -> None:
        self._tally = tally
        self._rows: deque[Row] = deque(maxlen=_LAST)
        self._live = Live(
            console=Console(file=out), get_renderable=self._picture, refresh_per_second=4
        )

    def __call__(self, row: Row) -> None:
        """Show a row."""
        self._rows.append(row)

    def _picture(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for name in ("verdict", "dump", "release", "host", "panic or reason"):
            table.add_column(name, no_wrap=True, overflow="ellipsis")
        for row in self._rows:
            # Text, not markup: what a guest says is no instruction.
            table.add_row(
                Text(row.verdict, _STYLES.get(row.verdict, "")),
                Text(shown(row.url)[-40:]),
                Text(row.release or ""),
                Text(row.hostname or ""),
                Text(row.panic or row.reason),
            )
        return Group(table, Text(progress_line(self._tally)))

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._live.stop()


def progress_line(tally: Tally) -> str:
    """How many of how many, how fast, how long still."""
    done = tally.verdicts.total()
    line = f"{done} of {tally.total}, {tally.rate:.3g} a second"
    left = tally.total - done
    if left and tally.looked_at:
        line += f", about {left / tally.rate:.0f} s left"
    return line
