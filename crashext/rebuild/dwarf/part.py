# SPDX-License-Identifier: GPL-3.0-or-later
"""What the writers of one BTF's entries share: where entries lie, and how names are renumbered."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

from ...symbols.btf import Btf, Kind
from ...symbols.btf.columns import reader
from .pen import Pen


class Part:
    """One BTF in the unit. ``entry`` gives the offset of a type's entry, 0 for void."""

    def __init__(self, btf: Btf, base: Part | None, pen: Pen, shift: int) -> None:
        self.btf = btf
        self.pen = pen
        self._shift = shift
        self._entries = array("I", bytes(4 * (btf.end - btf.first)))
        self.entry: Callable[[int], int] = reader(
            self._entries, btf.first, base.entry if base else None
        )
        #: Type 0, and tags that stand before it.
        self.voids: frozenset[int] = (base.voids if base else frozenset((0,))) | self._void_tags(
            base.voids if base else frozenset((0,))
        )

        #: Arrays of no elements, of its base too.
        self.empty_arrays: frozenset[int] = (base.empty_arrays if base else frozenset()) | {
            i for i in btf.ids(Kind.ARRAY) if not btf.words[btf.at(i) + 5]
        }

    def _void_tags(self, known: frozenset[int]) -> set[int]:
        return {i for i in self.btf.ids(Kind.TYPE_TAG) if self.untagged(i) in known}

    def untagged(self, type_id: int) -> int:
        """The type behind type tags, which DWARF has not."""
        while self.btf.kind(type_id) == Kind.TYPE_TAG:
            type_id = self.btf.reference(type_id)
        return type_id

    def put(self, ids: Sequence[int], places: Iterable[int]) -> None:
        """Say where the entries of these types lie."""
        entries, first = self._entries, self.btf.first
        for i, place in zip(ids, places, strict=False):
            entries[i - first] = place

    def put_tags(self) -> None:
        """Let a tag be where its target is, once those are known."""
        tags = self.btf.ids(Kind.TYPE_TAG)
        self.put(tags, [self.entry(self.untagged(i)) for i in tags])

    def names(self, column: Sequence[int]) -> Sequence[int]:
        """Names' offsets in BTF as offsets in .debug_str."""
        if not self._shift:
            return column
        first, shift = self.btf.first_string, self._shift
        return [at + shift if at >= first else at for at in column]

    def types(self, column: Iterable[int]) -> list[int]:
        """Type IDs as offsets of their entries."""
        return list(map(self.entry, column))
