# SPDX-License-Identifier: GPL-3.0-or-later
"""Where references lead and how large things are, for every type at once.

Each chain of references is walked once; what was found for a type serves all that lead there.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from ...errors import TypesError
from .columns import reader, words_at
from .store import DEEPEST, MODIFIERS, Store
from .wire import Kind

MAX_SIZE = 1 << 28
"""Bytes of a type that are still one; kernels have none above 16 MiB."""
NO_SIZE = -1
_SIZED = (Kind.STRUCT, Kind.UNION, Kind.INT, Kind.FLOAT, Kind.ENUM, Kind.ENUM64)


class Resolved(NamedTuple):
    """By type ID: ``held``, the type behind typedefs, qualifiers and arrays; ``end``, behind

    pointers as well; ``size`` in bytes or :data:`NO_SIZE`; ``depth``, how many references to
    ``end``.
    """

    held: Callable[[int], int]
    end: Callable[[int], int]
    size: Callable[[int], int]
    depth: Callable[[int], int]


class _Walk:
    """The tables of one store's own types while they are filled."""

    def __init__(self, store: Store, base: Resolved | None) -> None:
        self.store = store
        own = range(store.first, store.end)
        #: 0 for what is not known yet. Void, the only type 0, is never looked up here.
        self.held = array("I", own)
        self.end = array("I", own)
        self.size = array("q", [NO_SIZE]) * len(own)
        self.depth = bytearray(len(own))
        first = store.first
        self.seen = Resolved(
            reader(self.held, first, base and base.held),
            reader(self.end, first, base and base.end),
            reader(self.size, first, base and base.size),
            reader(self.depth, first, base and base.depth),
        )

    def fill(self) -> Resolved:
        store, first = self.store, self.store.first
        for i, size in zip(ids := store.ids(*_SIZED), words_at(store, ids, 2), strict=True):
            self.size[i - first] = size
        targets = self._targets()
        for i in targets:
            self.end[i - first] = 0
        path: list[int] = []
        for i in targets:
            at = i
            while at in targets and not self.end[at - first]:
                path.append(at)
                at = targets[at]
                if len(path) > DEEPEST:
                    raise TypesError("references without an end", offset=store.place(i))
            while path:
                at = self._step(path.pop(), at)
        return self.seen

    def _targets(self) -> dict[int, int]:
        """Of each type that refers to one other, which one."""
        store = self.store
        ids = store.ids(*MODIFIERS, Kind.PTR)
        arrays = store.ids(Kind.ARRAY)
        return dict(
            chain(
                zip(ids, words_at(store, ids, 2), strict=True),
                zip(arrays, words_at(store, arrays, 3), strict=True),
            )
        )

    def _step(self, i: int, target: int) -> int:
        """Set what is known of ``i``, whose ``target`` is known."""
        store, seen, own = self.store, self.seen, i - self.store.first
        kind = store.kinds[own]
        self.end[own] = seen.end(target)
        depth = seen.depth(target) + 1
        if depth > DEEPEST:
            raise TypesError("references without an end", offset=store.place(i))
        self.depth[own] = depth
        if kind == Kind.PTR:
            self.size[own] = store.word
            return i
        self.held[own] = seen.held(target)
        size = seen.size(target)
        if kind == Kind.ARRAY:
            count = store.words[store.starts[own] + 5]
            if size == NO_SIZE:
                raise TypesError("an array of what has no size", offset=store.place(i))
            if count * max(size, 1) > MAX_SIZE:
                raise TypesError(f"an array of {count} times {size} bytes", offset=store.place(i))
            size *= count
        self.size[own] = size
        return i


def resolve(store: Store, base: Resolved | None) -> Resolved:
    """Resolve a store's own types. Every reference must be known to lead to a type.

    Raises:
        TypesError: references go round in a circle or too deep, or an array is too large.
    """
    return _Walk(store, base).fill()
