# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether all of a BTF is sound: whoever controls a guest controls what its types say.

Debuggers believe their debug information. crash, for one, was seen to overflow its stack on a
structure that contains itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import compress

from ...errors import TypesError
from .columns import Items, gather, reader, words_at
from .members import check_members
from .nesting import Nest, nest
from .resolve import Resolved, resolve
from .store import MODIFIERS, Store
from .wire import Kind

#: What a type may refer to, by its kind.
_TYPES = frozenset(Kind) - {Kind.FUNC, Kind.VAR, Kind.DATASEC, Kind.DECL_TAG}
_OBJECTS = _TYPES - {Kind.VOID, Kind.FUNC_PROTO}
_REFERENCES: dict[Kind, frozenset[Kind]] = {
    **dict.fromkeys((*MODIFIERS, Kind.PTR), _TYPES),
    Kind.FUNC_PROTO: _TYPES - {Kind.FUNC_PROTO},
    Kind.FUNC: frozenset((Kind.FUNC_PROTO,)),
    Kind.VAR: _OBJECTS,
}
_INTS = frozenset((1, 2, 4, 8, 16))
#: Bytes that a scalar may have.
_SIZES = {
    Kind.INT: _INTS,
    Kind.ENUM: _INTS - {16},
    Kind.ENUM64: _INTS - {16},
    Kind.FLOAT: frozenset((2, 4, 8, 10, 12, 16)),
}


class Checked:
    """A BTF whose types are sound, and what the check of its splits needs to know of it."""

    def __init__(self, store: Store, base: Checked | None) -> None:
        """Check a store's own types.

        Raises:
            TypesError: one is not sound; the offset is its record's.
        """
        self.store = store
        self.kind: Callable[[int], int] = reader(
            store.kinds, store.first, base.kind if base else None
        )
        compounds = gather(store, store.ids(Kind.STRUCT, Kind.UNION), 3)
        prototypes = gather(store, store.ids(Kind.FUNC_PROTO), 2)
        self._names(compounds, prototypes)
        self._scalars()
        self._references(compounds, prototypes)
        self.resolved: Resolved = resolve(store, base.resolved if base else None)
        self._objects(prototypes)
        check_members(store, compounds, self.resolved, self.kind)
        self._compounds: dict[int, Nest] = self._nest_compounds(compounds, base)
        self._prototypes: dict[int, Nest] = self._nest_prototypes(prototypes, base)

    def _refuse(self, problem: str, ids: Iterable[int], wrong: Iterable[bool]) -> None:
        """Raise the error for the first of ``ids`` that is ``wrong``."""
        for i, this in zip(ids, wrong, strict=True):
            if this:
                raise TypesError(problem, offset=self.store.place(i))

    def _refuse_items(self, problem: str, items: Items, wrong: Sequence[bool]) -> None:
        spans = zip(items.firsts, items.firsts[1:], strict=False)
        self._refuse(problem, items.ids, (any(wrong[a:b]) for a, b in spans))

    def _names(self, *all_items: Items) -> None:
        store, end = self.store, self.store.end_string
        enums = (gather(store, store.ids(k), n) for k, n in ((Kind.ENUM, 2), (Kind.ENUM64, 3)))
        problem = "a name behind the end of all names"
        ids = range(store.first, store.end)
        own = [store.words[at] for at in store.starts]
        if max(own, default=0) >= end:
            self._refuse(problem, ids, (name >= end for name in own))
        for items in (*all_items, *enums):
            if max(items.columns[0], default=0) >= end:
                self._refuse_items(problem, items, [name >= end for name in items.columns[0]])

    def _scalars(self) -> None:
        for kind, allowed in _SIZES.items():
            ids = self.store.ids(kind)
            sizes = words_at(self.store, ids, 2)
            self._refuse("a scalar of an odd size", ids, (size not in allowed for size in sizes))
        ids = self.store.ids(Kind.INT)
        for i, size, word in zip(
            ids, words_at(self.store, ids, 2), words_at(self.store, ids, 3), strict=True
        ):
            if (word >> 16 & 0xFF) + (word & 0xFF) > 8 * size or not word & 0xFF:
                raise TypesError("an integer of odd bits", offset=self.store.place(i))

    def _references(self, compounds: Items, prototypes: Items) -> None:
        store = self.store
        for kind, allowed in _REFERENCES.items():
            ids = store.ids(kind)
            wrong = self._not(allowed, words_at(store, ids, 2))
            if wrong:
                self._refuse("a reference to what is no type", ids, wrong)
        arrays = store.ids(Kind.ARRAY)
        wrong = self._not(_OBJECTS, words_at(store, arrays, 3))
        if wrong:
            self._refuse("an array of what is no type", arrays, wrong)
        for items, allowed in ((compounds, _OBJECTS), (prototypes, _OBJECTS | {Kind.VOID})):
            wrong = self._not(allowed, items.columns[1])
            if wrong:
                self._refuse_items("a member or parameter of no type", items, wrong)
        sections = gather(store, store.ids(Kind.DATASEC), 3)
        wrong = self._not(frozenset((Kind.VAR,)), sections.columns[0])
        if wrong:
            self._refuse_items("a section of what is no variable", sections, wrong)
        self._last_only(prototypes)

    def _not(self, allowed: frozenset[Kind], refs: Sequence[int]) -> list[bool]:
        """Which references do not lead to one of the kinds; an empty list if all do."""
        if max(refs, default=0) < self.store.end:
            kinds = bytes(map(self.kind, refs))
            if not kinds.translate(None, bytes(allowed)):
                return []
        end = self.store.end
        return [ref >= end or self.kind(ref) not in allowed for ref in refs]

    def _last_only(self, prototypes: Items) -> None:
        """Void stands for ``...``, which is the last parameter if any."""
        types, firsts = prototypes.columns[1], prototypes.firsts
        voids = [n for n, ref in enumerate(types) if not ref]
        lasts = set(firsts)
        wrong = {n for n in voids if n + 1 not in lasts}
        if wrong:
            self._refuse_items(
                "a parameter of no type", prototypes, [n in wrong for n in range(len(types))]
            )

    def _objects(self, prototypes: Items) -> None:
        """A variable or parameter is of something, whatever stands before it."""
        held = self.resolved.held
        variables = self.store.ids(Kind.VAR)
        refs = words_at(self.store, variables, 2)
        self._refuse("a variable of void", variables, (not held(ref) for ref in refs))
        types = prototypes.columns[1]
        wrong = [not target and ref for target, ref in zip(map(held, types), types, strict=True)]
        if any(wrong):
            self._refuse_items("a parameter of void", prototypes, [bool(each) for each in wrong])

    def _nest_compounds(self, items: Items, base: Checked | None) -> dict[int, Nest]:
        """What lies in each structure by value, in arrays too."""
        held = list(map(self.resolved.held, items.columns[1]))
        inside = self._inside(items, held, (Kind.STRUCT, Kind.UNION))
        known = partial(_known, self.store, base._compounds if base else {})
        return nest(self.store, inside, known, "a structure")

    def _nest_prototypes(self, items: Items, base: Checked | None) -> dict[int, Nest]:
        """What functions each prototype has parameters of, or returns, through pointers."""
        ends = list(map(self.resolved.end, items.columns[1]))
        inside = self._inside(items, ends, (Kind.FUNC_PROTO,))
        returns = list(map(self.resolved.end, words_at(self.store, items.ids, 2)))
        kinds = bytes(map(self.kind, returns))
        for i, end, kind in zip(items.ids, returns, kinds, strict=True):
            if kind == Kind.FUNC_PROTO:
                inside[i] = [*inside.get(i, ()), end]
        known = partial(_known, self.store, base._prototypes if base else {})
        return nest(self.store, inside, known, "a function type")

    def _inside(
        self, items: Items, leads_to: list[int], kinds: tuple[Kind, ...]
    ) -> dict[int, list[int]]:
        """Which types of the given kinds the items of each type lead to, where any does."""
        flags = bytes(map(self.kind, leads_to)).translate(bytes(k in kinds for k in range(256)))
        return {
            i: list(compress(leads_to[first:end], flags[first:end]))
            for i, first, end in zip(items.ids, items.firsts, items.firsts[1:], strict=False)
            if 1 in flags[first:end]
        }


def _known(store: Store, base: Mapping[int, Nest], type_id: int) -> Nest:
    """The nesting of a type of the base, or of one that has nothing inside."""
    return base.get(type_id) or Nest(0, store.owner(type_id).count(type_id))
