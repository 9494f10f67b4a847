# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that doesn't end: what comes into folders is looked at, kept and told."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..course import Tell
from ..engines import Engine, one_by_one
from ..places.find import Item
from ..steps import Steps
from ..store import Store
from .arrivals import Arrivals

_SHORTEST, _LONGEST = 0.1, 1.0  # seconds from one look to the next


def watch(
    store: Store,
    engine: Engine,
    steps: Steps,
    arrivals: Arrivals,
    tell: Tell,
    *,
    rest: float,
    after: Callable[[], None],
    again: bool = False,
) -> None:
    """Go on until interrupted; ``after`` is called when rows were told and no more are due."""

    def known(item: Item) -> bool:
        row = None if again else store.known(item)
        if row is None or not steps.done(row):
            return False
        arrivals.pass_by(row)
        return True

    while True:
        due = [item.url for item in arrivals.ready() if not known(item)]
        told = False
        for row in (one_by_one if len(due) == 1 else engine)(steps, due):
            if arrivals.settled(row):
                store.put(row)
                tell(row, False)
                told = True
        if told:
            after()
        time.sleep(min(max(rest / 4, _SHORTEST), _LONGEST))
