# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with each dump: it is looked at, then what else was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .limits import Limits
from .reports import Reports
from .row import Row
from .work import row_of


@dataclass(frozen=True)
class Steps:
    """Work for an engine, plain data that any worker can be given.

    Attributes:
        limits: for each step.
        reports: where the report of each dump is written; None for nowhere.
    """

    limits: Limits
    reports: Reports | None = None

    def __call__(self, url: str) -> Row:
        """See to one dump; it raises nothing of a dump's or a storage's."""
        row = row_of(url, self.limits)
        if self.reports is not None and self.reports.lack(row):
            self.reports.write(row, self.limits)
        return row

    def done(self, row: Row) -> bool:
        """Whether nothing is left to do for a dump that was seen before."""
        return self.reports is None or not self.reports.lack(row)
