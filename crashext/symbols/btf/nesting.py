# SPDX-License-Identifier: GPL-3.0-or-later
"""How deep things lie in one another, and how much there is in all when each is spelled out.

A union of two members of one type, that type a union of two of the next, and so on: a screenful
of BTF that no program can print before the sun goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from ...errors import TypesError
from .store import Store

#: Things in one another, and things in all; kernels have 12 and some 3,000.
DEEPEST = 64
MOST = 1 << 20


class Nest(NamedTuple):
    """Levels below a thing, and how many things it has in all."""

    depth: int
    weight: int


def nest(
    store: Store, inside: Mapping[int, Sequence[int]], known: Callable[[int], Nest], what: str
) -> dict[int, Nest]:
    """The nesting of types by what is directly inside; ``known`` of those that are not given.

    Raises:
        TypesError: one is inside itself, too deep or too much; ``what`` names them.
    """
    found: dict[int, Nest] = {}
    try:
        order = tuple(TopologicalSorter(inside).static_order())
    except CycleError as error:
        at = error.args[1][0]
        raise TypesError(f"{what} inside itself", offset=store.place(at)) from None
    for i in order:
        if i not in inside:
            continue
        below = [found.get(each) or known(each) for each in inside[i]]
        depth = 1 + max((each.depth for each in below), default=0)
        weight = store.count(i) + sum(each.weight for each in below)
        if depth > DEEPEST:
            raise TypesError(f"{what} in more than {DEEPEST} others", offset=store.place(i))
        if weight > MOST:
            raise TypesError(f"{what} of more than {MOST} parts", offset=store.place(i))
        found[i] = Nest(depth, weight)
    return found
