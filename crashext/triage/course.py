# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: what is known already is told, the rest is looked at, kept and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .engines import Engine
from .limits import Limits
from .row import Row
from .steps import Steps
from .store import Store

Tell = Callable[[Row, bool], None]
"""Called with each row, and whether an earlier run had seen it."""


def run(
    store: Store, engine: Engine, steps: Limits | Steps, tell: Tell, *, again: bool = False
) -> None:
    """See to all that the store was asked for; each row is kept before it is told."""
    work = steps if isinstance(steps, Steps) else Steps(steps)

    def unseen() -> Iterator[str]:
        for item in store.asked():
            row = None if again else store.known(item)
            if row is None or not work.done(row):
                yield item.url
            else:
                tell(row, True)

    for row in engine(work, unseen()):
        store.put(row)
        tell(row, False)
