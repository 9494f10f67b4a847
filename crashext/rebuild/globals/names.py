# SPDX-License-Identifier: GPL-3.0-or-later
"""The named types of a kernel's BTF, all at once: thousands of variables ask for one each."""

from __future__ import annotations

from functools import cached_property

from ...errors import TypesError
from ...symbols.btf import Btf, Kind
from .expression import Expression

#: What other compilers than gcc call the types of numbers in BTF, and the table too.
_OTHER_NAMES = {
    b"long": b"long int",
    b"unsigned long": b"long unsigned int",
    b"short": b"short int",
    b"unsigned short": b"short unsigned int",
    b"long long": b"long long int",
    b"unsigned long long": b"long long unsigned int",
}
_KINDS = {
    "struct": (Kind.STRUCT, Kind.FWD),
    "union": (Kind.UNION, Kind.FWD),
    "enum": (Kind.ENUM, Kind.ENUM64),
    "": (Kind.TYPEDEF, Kind.INT, Kind.FLOAT),
}


class Names:
    """Types by keyword and name.

    Where several structures have one name, as those of a single source file may, it is the
    largest that is meant: the others are helpers of some driver. (The script that makes the
    table leaves out what that would be wrong for.)
    """

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self._enumerators: dict[str, int | None] = {}

    def find(self, expression: Expression) -> int | None:
        """The ID of the type that has a name; 0 is void; None where the kernel has none.

        Raises:
            TypesError: the names in BTF are damaged.
        """
        if expression.name == "void" and not expression.keyword:
            return 0
        if expression.name.startswith("{"):
            return self._nameless(tuple(expression.name.strip("{}").split(",")))
        name = expression.name.encode()
        known = self._all[expression.keyword]
        found = known.get(name)
        return known.get(_OTHER_NAMES.get(name, b"")) if found is None else found

    def size(self, type_id: int) -> int | None:
        """Bytes of a type; None where it has no size, or is damaged."""
        try:
            return self.btf.size(type_id) if type_id else None
        except TypesError:
            return None

    def enumerator(self, name: str) -> int | None:
        """The value of an enumerator, None where there is none."""
        if name not in self._enumerators:
            self._enumerators[name] = self.btf.enumerator(name)
        return self._enumerators[name]

    def _nameless(self, members: tuple[str, ...]) -> int | None:
        """The only structure without a name that has these members."""
        btf = self.btf
        # By the number of members first: few have to be looked at.
        found = [
            type_id
            for type_id in btf.ids(Kind.STRUCT)
            if btf.count(type_id) == len(members)
            and not btf.words[btf.at(type_id)]
            and tuple(member.name for member in btf.type(type_id).members) == members
        ]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _all(self) -> dict[str, dict[bytes, int]]:
        return {keyword: self._named(kinds) for keyword, kinds in _KINDS.items()}

    def _named(self, kinds: tuple[Kind, ...]) -> dict[bytes, int]:
        """The first of the first kind that has a name, but of several structures the largest."""
        found: dict[bytes, int] = {}
        for kind in kinds:
            found = self._of_kind(kind) | found
        return found

    def _of_kind(self, kind: Kind) -> dict[bytes, int]:
        btf, found = self.btf, dict[bytes, int]()
        words, starts, first = btf.words, btf.starts, btf.first
        for type_id in btf.ids(kind):
            name = btf.raw_name(words[starts[type_id - first]])
            other = found.setdefault(name, type_id)
            if other != type_id and kind in (Kind.STRUCT, Kind.UNION):
                found[name] = max(other, type_id, key=btf.reference)
        found.pop(b"", None)
        return found
