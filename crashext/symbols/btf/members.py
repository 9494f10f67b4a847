# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the members of structures and unions lie inside of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import add

from ...errors import TypesError
from .columns import Items, words_at
from .decode import bit_field, has_odd_integers
from .resolve import MAX_SIZE, NO_SIZE, Resolved
from .store import Store
from .wire import Kind

#: What a bit-field may be of, and how wide (BITS_PER_U128, kernel/bpf/btf.c).
_BITS_OF = frozenset((Kind.INT, Kind.ENUM, Kind.ENUM64))
_WIDEST = 128


def check_members(
    store: Store, items: Items, resolved: Resolved, kind: Callable[[int], int]
) -> None:
    """Check all structures and unions of a store, given as ``items``.

    Raises:
        TypesError: one is not sound; the offset is its record's.
    """
    types, bits = items.columns[1:]
    member_sizes = list(map(resolved.size, types))
    ends = list(map(add, bits, [8 * size for size in member_sizes]))
    uneven = bytes([bit & 7 for bit in bits])
    odd = has_odd_integers(store)
    rows = zip(
        items.ids,
        items.firsts,
        items.firsts[1:],
        words_at(store, items.ids, 1),
        words_at(store, items.ids, 2),
        strict=False,
    )
    for i, first, end, info, size in rows:
        if size > MAX_SIZE:
            raise TypesError(f"a structure of {size} bytes", offset=store.place(i))
        if first == end:
            continue
        if min(member_sizes[first:end]) == NO_SIZE:
            raise TypesError("a member without a size", offset=store.place(i))
        if info >> 31 or odd:
            fits = all(_fit(store, kind, resolved, row, size) for row in _places(
                store, bool(info >> 31), types[first:end], bits[first:end]))  # fmt: skip
        else:
            fits = max(ends[first:end]) <= 8 * size and not uneven[first:end].strip(b"\0")
        if not fits:
            raise TypesError("a member that is not inside its structure", offset=store.place(i))


def _places(
    store: Store, flagged: bool, types: Iterable[int], bits: Iterable[int]
) -> Iterable[tuple[int, int, int | None]]:
    """Of each member its type, its bits from the beginning, and those of a bit-field."""
    for type_id, place in zip(types, bits, strict=True):
        if flagged:
            yield type_id, place & 0xFFFFFF, place >> 24 or None
        else:
            shift, width = bit_field(store, type_id)
            yield type_id, place + shift, width


def _fit(
    store: Store,
    kind: Callable[[int], int],
    resolved: Resolved,
    row: tuple[int, int, int | None],
    size: int,
) -> bool:
    type_id, place, width = row
    room = 8 * resolved.size(type_id)
    if width is None:
        return place % 8 == 0 and place + room <= 8 * size
    held = resolved.held(type_id)
    return kind(held) in _BITS_OF and width <= min(room, _WIDEST) and place + width <= 8 * size
