# SPDX-License-Identifier: GPL-3.0-or-later
"""Types whose entries are of one size each: base types, pointers, qualifiers, typedefs, arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...symbols.btf import Kind
from ...symbols.btf.columns import words_at
from .abbrev import Abbrev
from .part import Part

#: With a type, and without where that is void.
_REFERRING = {
    Kind.PTR: (Abbrev.POINTER, Abbrev.POINTER_VOID),
    Kind.CONST: (Abbrev.CONST, Abbrev.CONST_VOID),
    Kind.VOLATILE: (Abbrev.VOLATILE, Abbrev.VOLATILE_VOID),
    Kind.RESTRICT: (Abbrev.RESTRICT, Abbrev.RESTRICT_VOID),
    Kind.TYPEDEF: (Abbrev.TYPEDEF, Abbrev.TYPEDEF_VOID),
}
_BOOLEAN, _FLOAT, _SIGNED, _SIGNED_CHAR, _UNSIGNED, _UNSIGNED_CHAR = 2, 4, 5, 6, 7, 8
_CHARS = {b"char", b"signed char", b"unsigned char"}

Column = Sequence[int] | int


@dataclass(frozen=True, slots=True)
class Table:
    """Entries of one size for types ``ids``; ``columns`` are made when all places are known."""

    ids: list[int]
    fields: str
    columns: Callable[[], Sequence[Column]]


def tables(part: Part) -> Iterator[Table]:
    """The tables of one BTF, in the order in which they are written."""
    yield _base_types(part)
    for kind, abbrevs in _REFERRING.items():
        yield from _referring(part, kind, *abbrevs)
    yield from _arrays(part)
    yield from _declarations(part)


def _base_types(part: Part) -> Table:
    ints, floats = part.btf.ids(Kind.INT), part.btf.ids(Kind.FLOAT)
    ids = ints + floats
    encodings = [_encoding(part, i) for i in ints] + [_FLOAT] * len(floats)
    names, sizes = words_at(part.btf, ids, 0), words_at(part.btf, ids, 2)
    return Table(ids, "BIBB", lambda: (Abbrev.BASE, part.names(names), sizes, encodings))


def _encoding(part: Part, type_id: int) -> int:
    """DW_ATE_*: BTF's flags, but pahole never sets the one for characters."""
    btf = part.btf
    at = btf.at(type_id)
    signed, char, boolean = (btf.words[at + 3] >> 24 + bit & 1 for bit in range(3))
    if boolean:
        return _BOOLEAN
    if btf.words[at + 2] == 1 and (char or btf.raw_name(btf.words[at]) in _CHARS):
        return _SIGNED_CHAR if signed else _UNSIGNED_CHAR
    return _SIGNED if signed else _UNSIGNED


def _referring(part: Part, kind: Kind, typed: Abbrev, void: Abbrev) -> Iterator[Table]:
    named = kind == Kind.TYPEDEF
    ids = part.btf.ids(kind)
    refs = words_at(part.btf, ids, 2)
    voids = part.voids
    bare = [i for i, ref in zip(ids, refs, strict=True) if ref in voids]
    if bare:
        gone = set(bare)
        ids = [i for i in ids if i not in gone]
        refs = [ref for ref in refs if ref not in voids]
        yield Table(bare, "BI" if named else "B", lambda: (void, *_names(part, bare, named)))
    yield Table(
        ids,
        "BII" if named else "BI",
        lambda: (typed, *_names(part, ids, named), part.types(refs)),
    )


def _names(part: Part, ids: list[int], named: bool) -> tuple[Column, ...]:
    return (part.names(words_at(part.btf, ids, 0)),) if named else ()


def _arrays(part: Part) -> Iterator[Table]:
    """Arrays, each with its one range; without a bound where BTF counts no elements."""
    btf = part.btf
    for is_open in (False, True):
        ids = [i for i in btf.ids(Kind.ARRAY) if (btf.words[btf.at(i) + 5] == 0) == is_open]
        elements, counts = words_at(btf, ids, 3), words_at(btf, ids, 5)
        yield _array_table(part, ids, elements, counts, is_open)


def _array_table(
    part: Part, ids: list[int], elements: list[int], counts: list[int], is_open: bool
) -> Table:
    if is_open:
        return Table(
            ids,
            "BIBB",
            lambda: (Abbrev.ARRAY, part.types(elements), Abbrev.RANGE_OPEN, 0),
        )
    return Table(
        ids,
        "BIBIB",
        lambda: (
            *(Abbrev.ARRAY, part.types(elements)),
            *(Abbrev.RANGE, [count - 1 for count in counts], 0),
        ),
    )


def _declarations(part: Part) -> Iterator[Table]:
    """Structures, unions and enumerations of which BTF knows only the name."""
    btf = part.btf
    groups: dict[Abbrev, list[int]] = {
        Abbrev.STRUCT_DECLARED: [i for i in btf.ids(Kind.FWD) if not btf.flag(i)],
        Abbrev.UNION_DECLARED: [i for i in btf.ids(Kind.FWD) if btf.flag(i)],
        Abbrev.ENUM_DECLARED: [i for i in btf.ids(Kind.ENUM, Kind.ENUM64) if not btf.count(i)],
    }
    for abbrev, ids in groups.items():
        yield _declaration(part, abbrev, ids)


def _declaration(part: Part, abbrev: Abbrev, ids: list[int]) -> Table:
    return Table(ids, "BI", lambda: (abbrev, part.names(words_at(part.btf, ids, 0))))
