# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that are arrays of no elements: ``x[0]`` or ``x[]``, which BTF does not tell apart.

C has the second only at the end of a structure that has other members; there kernels have
nearly no others any more.
"""

from __future__ import annotations

from ...symbols.btf import Kind
from ...symbols.btf.columns import Items
from .abbrev import Abbrev
from .part import Part

_FIELDS = "BIBBB"


class EmptyArrays:
    """The arrays ``x[0]`` that members of ``items``, structures and unions, are of."""

    def __init__(self, part: Part, items: Items) -> None:
        """Find the members that can't be ``x[]``."""
        self._part = part
        btf = part.btf
        self.empty = part.empty_arrays
        types, empty = items.columns[1], self.empty
        found = [n for n, type_id in enumerate(types) if type_id in empty]
        lasts = {
            end - 1
            for type_id, first, end in zip(
                items.ids, items.firsts[:-1], items.firsts[1:], strict=True
            )
            if btf.kinds[type_id - btf.first] == Kind.STRUCT and end - first > 1
        }
        self._members = {n: types[n] for n in found if n not in lasts}
        self._places: dict[int, int] = {}

    def plan(self, at: int) -> int:
        """Give each such array a place from ``at`` on; returns the end."""
        width = self._part.pen.width(_FIELDS)
        for n, array in enumerate(sorted(set(self._members.values()))):
            self._places[array] = at + n * width
        return at + len(self._places) * width

    def put_in(self, entries: list[int]) -> None:
        """Set the members' types in the column of them."""
        for n, array in self._members.items():
            entries[n] = self._places[array]

    def write(self) -> bytearray:
        """The entries, in the order in which they were planned."""
        part = self._part
        elements = part.types(part.btf.element(array) for array in self._places)
        columns = (Abbrev.ARRAY, elements, Abbrev.RANGE_NONE, 0, 0)
        return part.pen.table(_FIELDS, len(elements), *columns)
