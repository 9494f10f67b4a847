# SPDX-License-Identifier: GPL-3.0-or-later
"""One compile unit with all types, variables and functions: first every place, then the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from ...errors import RebuildError, TypesError
from ...symbols.btf import Btf, Kind
from ...symbols.btf.columns import words_at
from ...symbols.btf.decode import strip
from ...symbols.btf.store import MODIFIERS
from ..shape import Function, Shape, Variable
from .abbrev import Abbrev, ByteOrder, abbreviations
from .compound import Changed
from .functions import write_functions
from .integers import Integers
from .part import Part
from .pen import Pen
from .shapes import Shapes, write_variables
from .strings import Strings
from .types import Chunk, Types

MAX_SIZE = 1 << 30
"""Bytes of .debug_info; the 32-bit form of DWARF could address four times as many."""

_LONGEST = 1 << 24
"""Bytes of a function that are still one."""
_VERSION = 4
_C99 = 0x0C
_HEADER = "IHIB"  # unit_length, version, debug_abbrev_offset, address_size


@dataclass(frozen=True, slots=True)
class DebugInfo:
    """The sections .debug_info, .debug_abbrev and .debug_str, in pieces to be written in order.

    ``types`` counts the types of BTF that have an entry, ``globals`` the variables.
    """

    info: Sequence[Chunk]
    abbrev: Sequence[bytes]
    strings: Sequence[bytes]
    types: int
    globals: int


def debug_info(
    btfs: Sequence[Btf],
    variables: Iterable[Variable],
    functions: Iterable[Function],
    *,
    producer: str,
    byte_order: ByteOrder,
    word: int,
    one_element: Set[tuple[str, str]] = frozenset(),
) -> DebugInfo:
    """Write DWARF 4 for a kernel: ``btfs`` are its own BTF, then its modules' split ones.

    ``word`` is the size of an address in bytes. Each (structure, member) of ``one_element`` is a
    flexible array that is written with one element.

    A function whose addresses are none is left out.

    Raises:
        TypesError: a BTF is not sound, or not this kernel's.
        RebuildError: it would be larger than :data:`MAX_SIZE`, or a variable is of void.
    """
    for btf in btfs:
        btf.check()
        if (btf.byte_order, btf.word) != (byte_order, word):
            raise TypesError(f"types of a {8 * btf.word}-bit {btf.byte_order}-endian kernel")
    end = 1 << 8 * word
    placed = [f for f in functions if 0 <= f.start < f.end <= min(end, f.start + _LONGEST)]
    unit = _Unit(btfs, list(variables), placed, Pen(byte_order, word), producer)
    return unit.write(one_element)


class _Unit:
    """What the two passes over everything share."""

    def __init__(
        self,
        btfs: Sequence[Btf],
        variables: list[Variable],
        functions: list[Function],
        pen: Pen,
        producer: str,
    ) -> None:
        self._variables, self._functions, self._pen = variables, functions, pen
        self._strings = Strings()
        self._parts: list[Part] = []
        for btf in btfs:
            base = self._parts[0] if self._parts else None
            self._parts.append(Part(btf, base, pen, self._strings.take(btf)))
        self._kernel = self._parts[0]
        self._producer = self._strings.add(producer)
        self._integers = Integers(self._kernel, self._strings)
        self._shapes = Shapes(self._kernel)

    def write(self, one_element: Set[tuple[str, str]]) -> DebugInfo:
        changes = dict(filter(None, (self._one_element(*names) for names in sorted(one_element))))
        shapes = [variable.shape for variable in self._variables]
        shapes += [change.shape for change in changes.values()]
        wanted = _referenced(self._parts, shapes)
        types = [
            Types(part, wanted, changes if part is self._kernel else {}) for part in self._parts
        ]
        at = self._pen.width(_HEADER) + len(self._top())
        at = self._integers.plan(at)
        for each in types:
            at = each.plan(at)
        at = self._shapes.plan(shapes, at)
        if at > MAX_SIZE:
            raise RebuildError(f"types of {at} bytes, more than a debugger can be given")
        body: list[Chunk] = [self._top(), b"".join(self._integers.write())]
        body += self._body(types)
        return DebugInfo(
            [self._head(sum(map(len, body))), *body],
            [abbreviations()],
            self._strings.chunks,
            types=sum(each.count for each in types),
            globals=len(self._variables),
        )

    def _body(self, types: list[Types]) -> Iterator[Chunk]:
        for each in types:
            yield from each.write(self._integers)
        yield b"".join(self._shapes.write())
        variables = write_variables(self._kernel, self._variables, self._shapes, self._strings)
        yield b"".join(variables)
        yield b"".join(write_functions(self._kernel, self._functions, self._strings))
        yield b"\0"

    def _head(self, size: int) -> bytes:
        """The unit's header. Its first four bytes are not counted in its length."""
        row = self._pen.row(_HEADER)
        return row.pack(row.size - 4 + size, _VERSION, 0, self._pen.word)

    def _top(self) -> bytes:
        """The unit's own entry. crash looks functions up by the unit's range."""
        row = self._pen.row
        if not self._functions:
            return row("BIB").pack(Abbrev.UNIT, self._producer, _C99)
        start = min(function.start for function in self._functions)
        size = max(function.end for function in self._functions) - start
        return row("BIBPQ").pack(Abbrev.UNIT_WITH_CODE, self._producer, _C99, start, size)

    def _one_element(self, name: str, member: str) -> tuple[int, Changed] | None:
        """The change that gives a flexible array at the end of a structure one element."""
        btf = self._kernel.btf
        found = btf.find(name, Kind.STRUCT)
        if found is None:
            return None
        for n, (at, type_id, _) in enumerate(zip(*btf.items(found, 3), strict=True)):
            array = strip(btf, type_id)
            if btf.name(at) == member and array in self._kernel.empty_arrays:
                element = btf.element(array)
                change = Changed(n, Shape((1,), element), self._shapes, btf.size(element) or 0)
                return found, change
        return None


def _referenced(parts: Sequence[Part], shapes: Iterable[Shape]) -> set[int]:
    """What is referred to by other types than functions."""
    found = {shape.type_id for shape in shapes}
    for part in parts:
        found.update(words_at(part.btf, part.btf.ids(*MODIFIERS, Kind.PTR), 2))
    return found
