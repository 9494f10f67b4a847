# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to BTF: offsets, sizes and enumerators by name, and its types one by one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Self

from ...errors import TypesError
from .check import Checked
from .columns import words_at
from .decode import decode, enum_columns, members, strip
from .records import Func, Type, Var
from .resolve import MAX_SIZE
from .store import DEEPEST, Store
from .wire import Kind

_COMPOUND = (Kind.STRUCT, Kind.UNION)
_OTHERS = (Kind.TYPEDEF, Kind.INT, Kind.FLOAT, Kind.ENUM, Kind.ENUM64)


_STATIC = 0  # BTF_VAR_STATIC


class Btf(Store):
    """A kernel's or, with a ``base``, a module's BTF. Reading it decodes no type.

    A module's own types come before the base's where both have the name.
    """

    def __init__(self, data: bytes, base: Self | None = None) -> None:
        """Find the records; what they say is looked at when it is asked for.

        Raises:
            TypesError: the data is no BTF, cut off, or no split BTF of this ``base``.
        """
        super().__init__(data, base)
        self._base = base
        self._names: dict[Kind, dict[int, int]] = {}
        self._checked: Checked | None = None

    def check(self) -> Checked:
        """See that every type is sound: that a debugger can be given all of them.

        Raises:
            TypesError: one is not; the offset is its record's.
        """
        if self._checked is None:
            self._checked = Checked(self, self._base.check() if self._base else None)
        return self._checked

    def type(self, type_id: int) -> Type:
        """A type, decoded; type 0 is void.

        Raises:
            TypesError: there is no such type, or its names are damaged.
        """
        return decode(self, type_id)

    def find(self, name: str, *kinds: Kind) -> int | None:
        """The ID of the first type of that name; of the first of ``kinds`` that has one.

        Without kinds any type that has a name will do, structures first.
        """
        offsets = list(self.string_offsets(name.encode("utf-8", "surrogateescape")))
        for kind in kinds or (*_COMPOUND, *_OTHERS, Kind.FWD, Kind.FUNC, Kind.VAR):
            found = self._first(kind, offsets)
            if found is not None:
                return found
        return None

    def _first(self, kind: Kind, offsets: list[int]) -> int | None:
        index = self._index(kind)
        found = [index[offset] for offset in offsets if offset in index]
        if found or self._base is None:
            return min(found, default=None)
        return self._base._first(kind, offsets)

    def _index(self, kind: Kind) -> dict[int, int]:
        """The first type of one's own of that kind, by its name's offset."""
        if kind not in self._names:
            ids = self.ids(kind)
            ids.reverse()
            words, starts, first = self.words, self.starts, self.first
            self._names[kind] = {words[starts[i - first]]: i for i in ids}
        return self._names[kind]

    def sizeof(self, name: str) -> int | None:
        """Bytes of a structure or union, else of a typedef, base type or enumeration.

        None where there is no such type, or BTF gives it no size.

        Raises:
            TypesError: what it is made of is damaged.
        """
        found = self.find(name, *_COMPOUND, *_OTHERS)
        return None if found is None else self.size(found)

    def size(self, type_id: int) -> int | None:
        """Bytes of a type by its ID; None where it has no size.

        Raises:
            TypesError: it is larger than any type, or references go round in a circle.
        """
        count, at = 1, type_id
        for _ in range(DEEPEST):
            at = strip(self, at)
            this = self.type(at) if self.kind(at) == Kind.ARRAY else None
            if this is None:
                return self._plain_size(at, count)
            count *= this.length or 0
            at = this.type_id or 0
        raise TypesError(f"type {type_id} leads through more than {DEEPEST} others")

    def _plain_size(self, type_id: int, count: int) -> int | None:
        match self.kind(type_id):
            case Kind.PTR:
                size = self.word
            case Kind.STRUCT | Kind.UNION | Kind.INT | Kind.FLOAT | Kind.ENUM | Kind.ENUM64:
                size = self.reference(type_id)
            case _:
                return None
        if size * count > MAX_SIZE:
            raise TypesError(f"a type of {size * count} bytes")
        return size * count

    def offset(self, name: str, path: str) -> int | None:
        """Bytes from the beginning of a structure, union or typedef of one to a member.

        ``path`` is a member's name, or several with dots between for one inside another. Members
        of anonymous structures and unions count as the structure's own. Of a bit-field: the byte
        in which it begins. None where there is no such type or member.

        Raises:
            TypesError: what it is made of is damaged.
        """
        type_id = self.find(name, *_COMPOUND, Kind.TYPEDEF)
        bits = 0
        for part in path.split("."):
            found = self._member(type_id, part) if part and type_id is not None else None
            if found is None:
                return None
            type_id, bits = found[0], bits + found[1]
        return bits // 8

    def _member(self, type_id: int, name: str) -> tuple[int, int] | None:
        """The type of a member and the bits before it, anonymous structures searched through."""
        pending, seen = [(type_id, 0)], set()
        while pending:
            at, before = pending.pop()
            at = strip(self, at)
            if self.kind(at) not in _COMPOUND or at in seen:
                continue
            seen.add(at)
            inside = []
            for member in members(self.owner(at), at):
                if member.name == name:
                    return member.type_id, before + member.bits
                if not member.name:
                    inside.append((member.type_id, before + member.bits))
            pending += reversed(inside)
        return None

    def enumerator(self, name: str) -> int | None:
        """The value of an enumerator of that name; None where there is none.

        Signed where BTF's kind_flag says so, which pahole sets since 1.24.
        """
        for offset in self.string_offsets(name.encode("utf-8", "surrogateescape")):
            value = self._enumerator(offset)
            if value is not None:
                return value
        return None

    def _enumerator(self, offset: int) -> int | None:
        found = self._enumerators.get(offset)
        if found is not None:
            names, values = enum_columns(self, found)
            return values[names.index(offset)]
        return None if self._base is None else self._base._enumerator(offset)

    @cached_property
    def _enumerators(self) -> dict[int, int]:
        """The first enumeration of one's own that has an enumerator, by its name's offset."""
        index: dict[int, int] = {}
        for kind, width in ((Kind.ENUM64, 3), (Kind.ENUM, 2)):
            for i in reversed(self.ids(kind)):
                index.update(dict.fromkeys(self.items(i, width)[0], i))
        return index

    def variables(self) -> Iterator[Var]:
        """The variables of the DATASECs: per-CPU ones, in kernels so far.

        Raises:
            TypesError: a record of them is damaged.
        """
        for section in self.ids(Kind.DATASEC):
            name = self.name(self.words[self.at(section)])
            for variable, offset, size in zip(*self.items(section, 3), strict=True):
                owner = self.owner(variable)
                if self.kind(variable) != Kind.VAR:
                    raise TypesError("a section of no variables", offset=self.place(section))
                at = owner.at(variable)
                named, _, type_id, linkage = owner.words[at : at + 4]
                yield Var(owner.name(named), type_id, name, offset, size, linkage == _STATIC)

    def functions(self) -> Iterator[Func]:
        """The functions of one's own, in BTF's order; a name may come more than once.

        Raises:
            TypesError: a name is damaged.
        """
        ids = self.ids(Kind.FUNC)
        for i, name in zip(ids, self.names_at(words_at(self, ids, 0)), strict=True):
            yield Func(name, i)
