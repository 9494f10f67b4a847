# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ``triage`` has come to so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...triage.row import Row


class Tally:
    """What was seen so far."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.verdicts: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.known = self.bytes_read = self.requests = 0
        self.started = time.monotonic()

    def add(self, row: Row, known: bool) -> None:
        """Count a dump."""
        self.verdicts[row.verdict] += 1
        self.known += known
        if row.repaired is not None:
            self.repaired[row.repaired] += 1
        if not known:
            self.bytes_read += row.bytes_read
            self.requests += row.requests

    @property
    def looked_at(self) -> int:
        """Dumps of this run."""
        return self.verdicts.total() - self.known

    @property
    def rate(self) -> float:
        """Dumps in a second."""
        return self.looked_at / max(time.monotonic() - self.started, 1e-9)

    def repairs(self) -> Iterator[str]:
        """What was repaired, in a line if that was asked for."""
        if self.repaired:
            done = (f"{count} {how.replace('_', ' ')}" for how, count in self.repaired.items())
            yield f"Repaired: {', '.join(done)}"

    def status(self) -> int:
        """The exit status."""
        from ...triage.row import FINE

        fine = sum(self.verdicts[verdict] for verdict in FINE)
        bad = self.verdicts.total() - fine - self.verdicts["not_a_dump"]
        readable = fine + self.verdicts["damaged"] + self.verdicts["uncertain"]
        return 3 if not readable else 1 if bad else 0
