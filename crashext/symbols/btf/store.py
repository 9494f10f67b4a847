# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of one BTF by type ID, as words; a split BTF continues its base's numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Self

from ...errors import TypesError
from .wire import MAX_STRINGS, MAX_TYPES, VLEN, Kind, read_header, read_words, record_sizes, scan

#: Kinds that only rename or qualify another type.
MODIFIERS = frozenset((Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG))
DEEPEST = 64
"""Links of references, and structures in one another, that are followed; kernels have 20."""

#: Enumerations of a kernel, of which more than one in a hundred is signed.
_MANY = 500


class Store:
    """Where each type's record is. Type IDs from ``first`` up to ``end``, names likewise.

    Without a base ``first`` is 0, and type 0, void, has an entry like any other.
    """

    def __init__(self, data: bytes, base: Self | None = None) -> None:
        """Find the records.

        Raises:
            TypesError: the data is no BTF, cut off, or no split BTF of this ``base``.
        """
        header = read_header(data)
        self.base: Store | None = base
        self.byte_order = header.byte_order
        self.types_at = header.types_at
        self.first: int = base.end if base else 0
        self.first_string: int = base.end_string if base else 0
        self.strings = _strings(data[header.strings_at :][: header.strings], split=bool(base))
        self.end_string: int = self.first_string + len(self.strings)
        if self.end_string > MAX_STRINGS:
            raise TypesError(f"more than {MAX_STRINGS} bytes of names", offset=header.strings_at)
        if base and base.byte_order != self.byte_order:
            raise TypesError("a byte order that is not its base's", offset=0)
        self.words = read_words(data, header)
        room = MAX_TYPES - max(self.first, 1)
        try:
            self.starts, self.kinds = scan(self.words, record_sizes(data, header), room)
        except TypesError as error:
            at = None if error.offset is None else error.offset + header.types_at
            raise TypesError(error.problem, offset=at) from None
        if base is None:  # void: a record that nothing reads
            self.starts.insert(0, len(self.words))
            self.words.extend((0, 0, 0))
            self.kinds.insert(0, Kind.VOID)
        self.end: int = self.first + len(self.starts)

    def __len__(self) -> int:
        """How many types there are; void and a base's do not count."""
        return len(self.starts) - (self.base is None)

    def owner(self, type_id: int) -> Store:
        """Which of this BTF and its bases holds a type.

        Raises:
            TypesError: none does.
        """
        if type_id >= self.end:
            raise TypesError(f"type {type_id}, of {self.end - 1}")
        return self if type_id >= self.first or self.base is None else self.base.owner(type_id)

    def at(self, type_id: int) -> int:
        """The word at which a record begins in ``words``; the ID is one's own."""
        return self.starts[type_id - self.first]

    def place(self, type_id: int) -> int:
        """The byte offset of a record in the data, for messages; the ID is one's own."""
        return self.types_at + 4 * self.at(type_id)

    def kind(self, type_id: int) -> int:
        """A type's kind.

        Raises:
            TypesError: there is no such type.
        """
        owner = self.owner(type_id)
        return owner.kinds[type_id - owner.first]

    def flag(self, type_id: int) -> bool:
        """BTF's kind_flag; the ID is one's own."""
        return bool(self.words[self.at(type_id) + 1] >> 31)

    def reference(self, type_id: int) -> int:
        """The third word: the type it refers to, or a size.

        Raises:
            TypesError: there is no such type.
        """
        owner = self.owner(type_id)
        return owner.words[owner.at(type_id) + 2]

    def element(self, array_id: int) -> int:
        """The type of an array's elements.

        Raises:
            TypesError: there is no such type.
        """
        owner = self.owner(array_id)
        return owner.words[owner.at(array_id) + 3]

    def count(self, type_id: int) -> int:
        """How many members, enumerators or parameters a type has; the ID is one's own."""
        return self.words[self.at(type_id) + 1] & VLEN

    def items(self, type_id: int, width: int) -> list[array[int]]:
        """What follows a record ``count`` times, as columns; the ID is one's own."""
        at = self.at(type_id) + 3
        end = at + width * (self.words[at - 2] & VLEN)
        return [self.words[at + column : end : width] for column in range(width)]

    def raw_name(self, offset: int) -> bytes:
        """The string at an offset.

        Raises:
            TypesError: the strings end before it.
        """
        if offset < self.first_string and self.base is not None:
            return self.base.raw_name(offset)
        at = offset - self.first_string
        if at >= len(self.strings):
            raise TypesError(f"a name at {offset:#x}, behind the end of all names")
        return self.strings[at : self.strings.find(0, at)]

    def name(self, offset: int) -> str:
        """The string at an offset as text; bytes that are no UTF-8 as surrogates.

        Raises:
            TypesError: the strings end before it.
        """
        return self.raw_name(offset).decode("utf-8", "surrogateescape")

    def names_at(self, offsets: Iterable[int]) -> Iterator[str]:
        """The strings at many offsets, as :meth:`name` gives them.

        Raises:
            TypesError: the strings end before one.
        """
        if self.base is not None or not self.strings.isascii():
            yield from map(self.name, offsets)
            return
        text = self.strings.decode("ascii")
        end = text.find
        for at in offsets:
            name = text[at : end("\0", at)] if at < len(text) else self.name(at)
            yield name

    def ids(self, *kinds: Kind) -> list[int]:
        """The types of one's own that are of these kinds, in the order of the kinds."""
        return [i for kind in kinds for i in self._by_kind.get(kind, ())]

    @cached_property
    def _by_kind(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {kind: [] for kind in set(self.kinds)}
        for i, kind in enumerate(self.kinds, self.first):
            found[kind].append(i)
        return found

    def string_offsets(self, name: bytes) -> Iterator[int]:
        """Every offset at which ``name`` is a string or the end of one; one's own, then the base's.

        The empty name is nobody's.
        """
        at = self.strings.find(wanted := name + b"\0") if name else -1
        while at >= 0:
            yield self.first_string + at
            at = self.strings.find(wanted, at + 1)
        if self.base is not None:
            yield from self.base.string_offsets(name)

    @cached_property
    def signs_are_missing(self) -> bool:
        """Whether this is a kernel's BTF from before enumerations said that they are signed."""
        if self.base is not None:
            return self.base.signs_are_missing
        ids = self.ids(Kind.ENUM)
        return len(ids) >= _MANY and not self.ids(Kind.ENUM64) and not any(map(self.flag, ids))

    @cached_property
    def word(self) -> int:
        """Bytes of a pointer. BTF does not say; C's long is as wide in every Linux."""
        if self.base is not None:
            return self.base.word
        names = {b"long unsigned int", b"long int", b"unsigned long", b"long"}
        for i in self.ids(Kind.INT):
            at = self.at(i)
            if self.words[at + 2] in (4, 8) and self.raw_name(self.words[at]) in names:
                return self.words[at + 2]
        return 8


def _strings(data: bytes, *, split: bool) -> bytes:
    """The section of strings, every one of which is terminated."""
    if data[-1:] != b"\0" and not (split and not data):
        raise TypesError("the last name has no end" if data else "no names")
    if not split and data[:1] != b"\0":
        raise TypesError("the first name is not empty")
    return bytes(data)
