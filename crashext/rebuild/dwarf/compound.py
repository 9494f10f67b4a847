# SPDX-License-Identifier: GPL-3.0-or-later
"""Structures and unions with their members."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ...symbols.btf import Kind
from ...symbols.btf.columns import gather, words_at
from ...symbols.btf.decode import bit_field
from ..shape import Shape
from .abbrev import Abbrev
from .empty import EmptyArrays
from .part import Part
from .shapes import Shapes

_CODES = {
    Kind.STRUCT: (Abbrev.STRUCT, Abbrev.STRUCT_ANON),
    Kind.UNION: (Abbrev.UNION, Abbrev.UNION_ANON),
}
_FIELDS = {
    Abbrev.MEMBER: "BIII",
    Abbrev.MEMBER_ANON: "BII",
    Abbrev.BITS: "BIIIB",
    Abbrev.BITS_ANON: "BIIB",
}
_OFFSET = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class Changed:
    """How a structure is written otherwise than BTF has it.

    ``shape`` is the type that its ``member``, counted from 0, has instead, and ``more`` bytes are
    added to its size.
    """

    member: int
    shape: Shape
    shapes: Shapes
    more: int


class _Row(NamedTuple):
    """A member; ``place`` in bytes, or in bits of a bit-field ``width`` bits wide."""

    abbrev: Abbrev
    name: int
    place: int
    width: int


class Compounds:
    """The structures and unions of one BTF; ``changed`` by type ID."""

    def __init__(self, part: Part, changed: Mapping[int, Changed]) -> None:
        """Learn how large each will be."""
        self._part = part
        self._changed = changed
        btf = part.btf
        self.ids = btf.ids(Kind.STRUCT, Kind.UNION)
        self._items = gather(btf, self.ids, 3)
        self.empty = EmptyArrays(part, self._items)
        self._names = words_at(btf, self.ids, 0)
        self._odd = any(
            bit_field(each, i)[1] is not None
            for each in (btf, btf.base)
            if each is not None
            for i in each.ids(Kind.INT)
        )
        width = part.pen.width
        self._head, self._head_anon = width("BII"), width("BI")
        self._member = width("BIII")
        self._widths = {abbrev: width(fields) for abbrev, fields in _FIELDS.items()}
        #: Members of those whose members are not all alike.
        self._special: dict[int, list[_Row]] = {}

    def sizes(self) -> Iterator[int]:
        """Bytes of each entry, its members and their end."""
        firsts = self._items.firsts
        names, _, _ = self._items.columns
        flags = [word >> 31 for word in words_at(self._part.btf, self.ids, 1)]
        for n, (first, end) in enumerate(pairwise(firsts)):
            head = self._head if self._names[n] else self._head_anon
            if flags[n] or self._odd or 0 in names[first:end]:
                rows = self._special[n] = list(self._rows(n, first, end))
                yield head + sum(self._widths[row.abbrev] for row in rows) + 1
            else:
                yield head + self._member * (end - first) + 1

    def _rows(self, n: int, first: int, end: int) -> Iterator[_Row]:
        """The members of the nth, one by one."""
        btf = self._part.btf
        flagged = btf.flag(self.ids[n])
        columns = (column[first:end] for column in self._items.columns)
        for name, type_id, bits in zip(*columns, strict=True):
            width: int | None = bits >> 24 if flagged else 0
            place = bits & _OFFSET if flagged else bits
            if self._odd and not flagged:
                shift, width = bit_field(btf, type_id)
                place += shift
            if width:
                yield _Row(Abbrev.BITS if name else Abbrev.BITS_ANON, name, place, width)
            else:
                abbrev = Abbrev.MEMBER if name else Abbrev.MEMBER_ANON
                yield _Row(abbrev, name, place // 8, 0)

    def write(self) -> Iterator[bytes | memoryview]:
        """The entries, in the order of ``ids``. All types have to have their places."""
        part, btf = self._part, self._part.btf
        names, _, bits = self._items.columns
        entries = self._entries()
        members = memoryview(
            part.pen.table(
                *("BIII", len(entries), Abbrev.MEMBER),
                *(part.names(names), entries, [bit >> 3 for bit in bits]),
            )
        )
        step, firsts = self._member, self._items.firsts
        own, sizes = part.names(self._names), words_at(btf, self.ids, 2)
        head = self._heads()
        for n, type_id in enumerate(self.ids):
            more = self._changed[type_id].more if type_id in self._changed else 0
            yield head(n, own[n], sizes[n] + more)
            if n in self._special:
                yield self._write_rows(n, entries)
            else:
                yield members[step * firsts[n] : step * firsts[n + 1]]
            yield b"\0"

    def _entries(self) -> list[int]:
        """The place of each member's type."""
        entries = self._part.types(self._items.columns[1])
        self.empty.put_in(entries)
        for n, type_id in enumerate(self.ids if self._changed else ()):
            if type_id in self._changed:
                change = self._changed[type_id]
                place = change.shapes.entry(change.shape)
                entries[self._items.firsts[n] + change.member] = place
        return entries

    def _heads(self) -> Callable[[int, int, int], bytes]:
        row, btf = self._part.pen.row, self._part.btf
        named, anon = row("BII").pack, row("BI").pack
        codes = [_CODES[Kind(btf.kinds[i - btf.first])] for i in self.ids]

        def head(n: int, name: int, size: int) -> bytes:
            with_name, without = codes[n]
            return named(with_name, name, size) if self._names[n] else anon(without, size)

        return head

    def _write_rows(self, n: int, entries: list[int]) -> bytes:
        part, row = self._part, self._part.pen.row
        out = []
        for at, (abbrev, name, place, width) in enumerate(self._special[n], self._items.firsts[n]):
            fields = [*(part.names((name,)) if name else ()), entries[at], place]
            if width:
                fields.append(width)
            out.append(row(_FIELDS[abbrev]).pack(abbrev, *fields))
        return b"".join(out)
