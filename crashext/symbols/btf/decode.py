# SPDX-License-Identifier: GPL-3.0-or-later
"""A record's words as a :class:`~.records.Type`."""

from __future__ import annotations

from array import array

from ...errors import TypesError
from .records import Enumerator, Member, Param, Type
from .store import DEEPEST, MODIFIERS, Store
from .wire import Kind

_SIZED = frozenset(
    (Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT, Kind.DATASEC)
)
#: -4096, beyond the kernel's error numbers, in 32 bits.
_SMALL_NEGATIVE = 0xFFFFF000
_BARE = frozenset((Kind.VOID, Kind.ARRAY, Kind.FWD))


def decode(store: Store, type_id: int) -> Type:
    """One type, its members and all.

    Raises:
        TypesError: there is no such type, or a name lies outside of the strings.
    """
    owner = store.owner(type_id)
    at = owner.at(type_id)
    kind = Kind(owner.kinds[type_id - owner.first])
    name, info, third = owner.words[at : at + 3]
    plain = Type(
        type_id,
        kind,
        owner.name(name),
        size=third if kind in _SIZED else None,
        type_id=None if kind in _SIZED or kind in _BARE else third,
        flag=bool(info >> 31),
    )
    match kind:
        case Kind.STRUCT | Kind.UNION:
            return plain._replace(members=members(owner, type_id))
        case Kind.ENUM | Kind.ENUM64:
            return plain._replace(enumerators=enumerators(owner, type_id))
        case Kind.FUNC_PROTO:
            rows = zip(*owner.items(type_id, 2), strict=True)
            return plain._replace(params=tuple(Param(owner.name(n), t) for n, t in rows))
        case Kind.ARRAY:
            return plain._replace(type_id=owner.words[at + 3], length=owner.words[at + 5])
        case Kind.INT:
            word = owner.words[at + 3]
            return plain._replace(encoding=word >> 24 & 15, width=word & 0xFF)
    return plain


def members(owner: Store, type_id: int) -> tuple[Member, ...]:
    """The members of a structure or union, which is ``owner``'s own.

    Raises:
        TypesError: a name lies outside of the strings, or a type is none.
    """
    rows = zip(*owner.items(type_id, 3), strict=True)
    if owner.flag(type_id):
        # Bits of a bit-field above, 0 for any other member; the offset below.
        return tuple(
            Member(owner.name(n), t, bits & 0xFFFFFF, bits >> 24 or None) for n, t, bits in rows
        )
    found = []
    for n, t, bits in rows:
        shift, width = bit_field(owner, t)
        found.append(Member(owner.name(n), t, bits + shift, width))
    return tuple(found)


def bit_field(store: Store, type_id: int) -> tuple[int, int | None]:
    """Of a member's type in the older way: bits to skip, and the bits if it is a bit-field.

    Before kind_flag an INT of fewer bits than its bytes hold made a bit-field of its member.
    """
    held = strip(store, type_id)
    if store.kind(held) != Kind.INT:
        return 0, None
    owner = store.owner(held)
    at = owner.at(held)
    word = owner.words[at + 3]
    shift, width = word >> 16 & 0xFF, word & 0xFF
    return (0, None) if (shift, width) == (0, 8 * owner.words[at + 2]) else (shift, width)


def has_odd_integers(store: Store) -> bool:
    """Whether any INT, of the base too, makes bit-fields in the older way."""
    if store.base is not None and has_odd_integers(store.base):
        return True
    return any(bit_field(store, i)[1] is not None for i in store.ids(Kind.INT))


def enumerators(owner: Store, type_id: int) -> tuple[Enumerator, ...]:
    """The enumerators of an ENUM or ENUM64, which is ``owner``'s own.

    Raises:
        TypesError: a name lies outside of the strings.
    """
    names, values = enum_columns(owner, type_id)
    return tuple(Enumerator(owner.name(n), v) for n, v in zip(names, values, strict=True))


def enum_columns(owner: Store, type_id: int) -> tuple[array[int], list[int]]:
    """The names' offsets and the values; the ID is ``owner``'s own."""
    if owner.kinds[type_id - owner.first] == Kind.ENUM64:
        names, low, high = owner.items(type_id, 3)
        values = [a | b << 32 for a, b in zip(low, high, strict=True)]
        top = 1 << 63
    else:
        names, low = owner.items(type_id, 2)
        values, top = low.tolist(), 1 << 31
    if is_signed(owner, type_id):
        values = [(value ^ top) - top for value in values]
    return names, values


def is_signed(owner: Store, type_id: int) -> bool:
    """Whether an enumeration, which is ``owner``'s own, has negative enumerators.

    BTF's kind_flag says so. Where no enumeration of a kernel has it, pahole was older than 1.24 and
    never wrote it: a value that is a small negative number is taken for one.
    """
    if owner.flag(type_id) or not owner.signs_are_missing:
        return owner.flag(type_id)
    return max(owner.items(type_id, 2)[1], default=0) >= _SMALL_NEGATIVE


def strip(store: Store, type_id: int) -> int:
    """The type behind typedefs, qualifiers and tags.

    Raises:
        TypesError: they go round in a circle, or there is no such type.
    """
    at = type_id
    for _ in range(DEEPEST):
        if store.kind(at) not in MODIFIERS:
            return at
        at = store.reference(at)
    raise TypesError(f"type {type_id} leads through more than {DEEPEST} others")
