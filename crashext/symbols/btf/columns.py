# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows the records of many types, in columns, so that little is done type by type."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...errors import TypesError
from .store import Store
from .wire import VLEN

MOST_TYPES = 1 << 17
"""Types of one kind that have members or parameters; kernels have some 25,000."""
MOST_ITEMS = 1 << 20
"""Members, parameters or enumerators of all types; kernels have some 70,000."""


class Items(NamedTuple):
    """Members, parameters or enumerators of ``ids``, one type's after the other's.

    Those of ``ids[n]`` are the rows from ``firsts[n]`` up to ``firsts[n + 1]`` of every column.
    """

    ids: list[int]
    firsts: list[int]
    columns: list[array[int]]


def gather(store: Store, ids: list[int], width: int) -> Items:
    """The items, of ``width`` words each, of types that are the store's own.

    Raises:
        TypesError: there are more than any kernel has.
    """
    if len(ids) > MOST_TYPES:
        raise TypesError(f"more than {MOST_TYPES} types of one kind", offset=store.place(ids[0]))
    words, starts, first = store.words, store.starts, store.first
    view = memoryview(words)
    parts, firsts, total = [], [0], 0
    for i in ids:
        at = starts[i - first] + 3
        count = words[at - 2] & VLEN
        parts.append(view[at : at + width * count])
        total += count
        firsts.append(total)
        if total > MOST_ITEMS:
            raise TypesError(f"more than {MOST_ITEMS} members", offset=store.place(i))
    flat = array("I", b"".join(parts))
    return Items(ids, firsts, [flat[column::width] for column in range(width)])


def words_at(store: Store, ids: list[int], word: int) -> list[int]:
    """One word of each record: 0 the name, 1 the info, 2 the size or reference, 3 what follows."""
    words, starts, shift = store.words, store.starts, store.first
    return [words[starts[i - shift] + word] for i in ids]


def reader(
    own: Sequence[int], first: int, base: Callable[[int], int] | None
) -> Callable[[int], int]:
    """A value by type ID, where each BTF holds those of its own types."""
    if base is None:
        return own.__getitem__
    return lambda i: own[i - first] if i >= first else base(i)
