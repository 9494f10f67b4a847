# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with each dump: it is looked at, then what else was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ..text import printable
from .limits import Limits
from .repairing import Outcome, Repairing
from .reports import Reports
from .row import Row
from .work import row_of


@dataclass(frozen=True)
class Steps:
    """Work for an engine, plain data that any worker can be given.

    Attributes:
        limits: for each step.
        reports: where the report of each dump is written; None for nowhere.
        repairing: how each is repaired; None for not at all.
    """

    limits: Limits
    reports: Reports | None = None
    repairing: Repairing | None = None

    def __call__(self, url: str) -> Row:
        """See to one dump; it raises nothing of a dump's or a storage's."""
        row = self._repaired(url) if self.repairing else row_of(url, self.limits)
        if self.reports is not None and self.reports.lack(row):
            self.reports.write(row, self.limits)
        return row

    def done(self, row: Row) -> bool:
        """Whether nothing is left to do for a dump that was seen before."""
        return not (
            (self.reports is not None and self.reports.lack(row))
            or (self.repairing is not None and self.repairing.wanted(row))
        )

    def _repaired(self, url: str) -> Row:
        """The row of what lies there after the repair."""
        assert self.repairing is not None
        problem = self.repairing.prepare(url)
        row = row_of(url, self.limits)
        if problem:
            return Outcome("refused", None, printable(problem)).of(row)
        outcome = self.repairing.outcome(row, self.limits)
        if outcome is None:
            return row
        if outcome.repaired != "in_place":
            return outcome.of(row)
        after = row_of(url, self.limits)
        return outcome.of(after)._replace(
            bytes_read=row.bytes_read + after.bytes_read,
            requests=row.requests + after.requests,
            seconds=round(row.seconds + after.seconds, 3),
        )
