# SPDX-License-Identifier: GPL-3.0-or-later
"""A run: what is known already is told, the rest is looked at, kept and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from .engines import Engine
from .limits import Limits
from .row import Row
from .store import Store
from .work import row_of

Tell = Callable[[Row, bool], None]
"""Called with each row, and whether an earlier run had seen it."""


def run(store: Store, engine: Engine, limits: Limits, tell: Tell, *, again: bool = False) -> None:
    """See to all that the store was asked for; each row is kept before it is told."""

    def unseen() -> Iterator[str]:
        for item in store.asked():
            row = None if again else store.known(item)
            if row is None:
                yield item.url
            else:
                tell(row, True)

    for row in engine(partial(row_of, limits=limits), unseen()):
        store.put(row)
        tell(row, False)
