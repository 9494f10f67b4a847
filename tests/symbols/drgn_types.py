# SPDX-License-Identifier: GPL-3.0-or-later
"""Types as plain tuples that can be compared: drgn's, read from DWARF, and BTF's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drgn
from drgn import TypeKind

from crashext.symbols.btf import Btf, Kind, Type

Shape = tuple[Any, ...]
#: What DWARF and BTF both name.
NAMED = (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF, Kind.INT, Kind.FLOAT)
_TAGS = {Kind.STRUCT: "struct ", Kind.UNION: "union ", Kind.ENUM: "enum ", Kind.ENUM64: "enum "}


def program(path: Path) -> drgn.Program:
    """drgn with the types of one file, which need have no build ID."""
    prog = drgn.Program()
    module = prog.extra_module("kernel", create=True)
    module.address_range = (0, (1 << 64) - 1)
    module.try_file(str(path), force=True)
    return prog


def named(btf: Btf) -> dict[str, list[int]]:
    """The complete types that have names, as drgn calls them."""
    found: dict[str, list[int]] = {}
    for i in btf.ids(*NAMED):
        this = btf.type(i)
        if this.name and not (this.kind in (Kind.ENUM, Kind.ENUM64) and not this.enumerators):
            found.setdefault(_TAGS.get(this.kind, "") + this.name, []).append(i)
    return found


def of_drgn(this: drgn.Type) -> Shape:
    """A type with its members, whose own types are only named or, without a name, described."""
    match this.kind:
        case TypeKind.STRUCT | TypeKind.UNION:
            return (_kind(this), this.size, tuple(_members(this)))
        case TypeKind.ENUM:
            return (
                "enum",
                this.type.size,
                tuple((e.name, e.value) for e in this.enumerators or ()),
            )
        case TypeKind.TYPEDEF:
            return ("typedef", _refer(this.type))
        case TypeKind.INT:
            return ("int", this.size, this.is_signed)
        case TypeKind.BOOL | TypeKind.FLOAT:
            return (_kind(this), this.size)
    return ("?", str(this))


def base_name(name: str) -> str:
    """``unsigned long`` for ``long unsigned int``: which spelling is a compiler's matter."""
    words = sorted(name.split())
    return " ".join(word for word in words if word != "int" or len(words) == 1)


def _kind(this: drgn.Type) -> str:
    return str(this.kind.name).lower()


def _members(this: drgn.Type) -> Iterator[Shape]:
    for member in this.members or ():
        width = member.bit_field_size
        yield (member.name or "", member.bit_offset, width, _refer(member.type))


def _refer(this: drgn.Type) -> Shape:
    qualifiers = tuple(q for q in ("CONST", "VOLATILE") if this.qualifiers & drgn.Qualifiers[q])
    return (*qualifiers, *_plain(this.unqualified()))


def _plain(this: drgn.Type) -> Shape:
    match this.kind:
        case TypeKind.VOID:
            return ("void",)
        case TypeKind.POINTER:
            return ("pointer", *_refer(this.type))
        case TypeKind.ARRAY:
            # BTF of older kernels (6.12 among them) has one dimension for all of them.
            count, element = this.length or 0, this.type
            while element.kind == TypeKind.ARRAY:
                count, element = count * (element.length or 0), element.type
            return ("array", count, *_refer(element))
        case TypeKind.FUNCTION:
            params = tuple(_refer(parameter.type) for parameter in this.parameters)
            return ("function", _refer(this.type), params, this.is_variadic)
        case TypeKind.TYPEDEF | TypeKind.INT | TypeKind.BOOL | TypeKind.FLOAT:
            return (base_name(this.name),)
    return (_kind(this), this.tag) if this.tag else of_drgn(this)


def of_btf(btf: Btf, type_id: int) -> Shape:
    """The same for a type of BTF."""
    this = btf.type(type_id)
    match this.kind:
        case Kind.STRUCT | Kind.UNION:
            members = tuple(
                (m.name, m.bits, m.width, _refer_btf(btf, m.type_id)) for m in this.members
            )
            return (this.kind.name.lower(), this.size, members)
        case Kind.ENUM | Kind.ENUM64:
            return ("enum", this.size, tuple(this.enumerators))
        case Kind.TYPEDEF:
            return ("typedef", _refer_btf(btf, this.type_id or 0))
        case Kind.INT:
            return (
                ("bool", this.size)
                if this.encoding & 4
                else ("int", this.size, bool(this.encoding & 1))
            )
    return ("float", this.size)


_QUALIFIERS = (Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG)


def _refer_btf(btf: Btf, type_id: int) -> Shape:
    found, this = set(), btf.type(type_id)
    while this.kind in _QUALIFIERS:
        found.add(this.kind.name)
        this = btf.type(this.type_id or 0)
    return (*(q for q in ("CONST", "VOLATILE") if q in found), *_plain_btf(btf, this))


def _plain_btf(btf: Btf, this: Type) -> Shape:  # noqa: PLR0911
    match this.kind:
        case Kind.VOID:
            return ("void",)
        case Kind.PTR:
            return ("pointer", *_refer_btf(btf, this.type_id or 0))
        case Kind.ARRAY:
            count, element = this.length or 0, btf.type(this.type_id or 0)
            while element.kind == Kind.ARRAY:
                count, element = count * (element.length or 0), btf.type(element.type_id or 0)
            return ("array", count, *_refer_btf(btf, element.id))
        case Kind.FUNC_PROTO:
            is_open = bool(this.params) and this.params[-1].type_id == 0
            params = this.params[:-1] if is_open else this.params
            refers = tuple(_refer_btf(btf, p.type_id) for p in params)
            return ("function", _refer_btf(btf, this.type_id or 0), refers, is_open)
        case Kind.TYPEDEF | Kind.INT | Kind.FLOAT:
            return (base_name(this.name),)
        case Kind.FWD:
            return ("union" if this.flag else "struct", this.name)
    kind = "enum" if this.kind == Kind.ENUM64 else this.kind.name.lower()
    return (kind, this.name) if this.name else of_btf(btf, this.id)
