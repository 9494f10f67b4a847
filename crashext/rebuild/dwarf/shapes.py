# SPDX-License-Identifier: GPL-3.0-or-later
"""Types that BTF has not: what is wrapped around its types; and the variables that have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...errors import RebuildError
from ..shape import Shape, Variable, Wrap
from .abbrev import Abbrev
from .part import Part
from .strings import Strings

_QUALIFIERS: dict[Wrap, tuple[Abbrev, Abbrev]] = {
    "pointer": (Abbrev.POINTER, Abbrev.POINTER_VOID),
    "const": (Abbrev.CONST, Abbrev.CONST_VOID),
    "volatile": (Abbrev.VOLATILE, Abbrev.VOLATILE_VOID),
}
_OF_VOID = ("const", "volatile")
_MOST = 1 << 28
_ADDRESS = 0x03  # DW_OP_addr


class Shapes:
    """The entries of wraps, each written once whoever shares it."""

    def __init__(self, part: Part) -> None:
        self._part = part
        #: By shape, where its entry lies; in the order of writing.
        self._places: dict[Shape, int] = {}
        self._void = part.voids

    def plan(self, shapes: Iterable[Shape], at: int) -> int:
        """Give every wrap a place from ``at`` on; returns the end."""
        for shape in shapes:
            self._refuse_void(shape)
            for inner in range(len(shape.wraps) - 1, -1, -1):
                each = Shape(shape.wraps[inner:], shape.type_id)
                if each not in self._places:
                    self._places[each] = at
                    at += len(self._write(each, 0))
        return at

    def _refuse_void(self, shape: Shape) -> None:
        """Only a pointer may lead to void."""
        before = next((wrap for wrap in reversed(shape.wraps) if wrap not in _OF_VOID), None)
        if shape.type_id in self._void and before != "pointer":
            raise RebuildError("a variable of void")

    def entry(self, shape: Shape) -> int:
        """Where the entry of a shape lies, which was planned."""
        return self._places[shape] if shape.wraps else self._part.entry(shape.type_id)

    def write(self) -> Iterator[bytes]:
        """The entries, in the order in which they were planned."""
        for shape in self._places:
            yield self._write(shape, self.entry(Shape(shape.wraps[1:], shape.type_id)))

    def _write(self, shape: Shape, inner: int) -> bytes:
        row, outer = self._part.pen.row, shape.wraps[0]
        if outer in _QUALIFIERS:
            typed, void = _QUALIFIERS[outer]
            if len(shape.wraps) == 1 and shape.type_id in self._void:
                return bytes((void,))
            return row("BI").pack(typed, inner)
        if isinstance(outer, int) and 0 < outer <= _MOST:
            return row("BIBIB").pack(Abbrev.ARRAY, inner, Abbrev.RANGE, outer - 1, 0)
        return row("BIBB").pack(Abbrev.ARRAY, inner, Abbrev.RANGE_OPEN, 0)


def write_variables(
    part: Part, variables: Iterable[Variable], shapes: Shapes, strings: Strings
) -> Iterator[bytes]:
    """Variables, at addresses or with values. All types have to have their places."""
    row, word = part.pen.row, part.pen.word
    mask = (1 << 8 * word) - 1
    for variable in variables:
        name, entry = strings.add(variable.name), shapes.entry(variable.shape)
        if variable.value is not None:
            value = variable.value & (1 << 64) - 1
            yield row("BIIQ").pack(Abbrev.VARIABLE_VALUE, name, entry, value)
        elif variable.vaddr is not None:
            yield row("BIIBBP").pack(
                *(Abbrev.VARIABLE, name, entry, 1 + word, _ADDRESS, variable.vaddr & mask)
            )
