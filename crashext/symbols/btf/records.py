# SPDX-License-Identifier: GPL-3.0-or-later
"""A type of BTF, decoded."""

from __future__ import annotations

from typing import NamedTuple

from .wire import Kind


class Member(NamedTuple):
    """A member; ``bits`` from the beginning of its structure. ``width``: bits of a bit-field."""

    name: str
    type_id: int
    bits: int
    width: int | None = None


class Enumerator(NamedTuple):
    """An enumerator."""

    name: str
    value: int


class Param(NamedTuple):
    """A parameter; type 0 at the end of the list is ``...``."""

    name: str
    type_id: int


class Var(NamedTuple):
    """A variable: ``type_id`` is its type's, the offset from the beginning of ``section``.

    ``is_static`` where it is of one file only.
    """

    name: str
    type_id: int
    section: str
    offset: int
    size: int
    is_static: bool


class Func(NamedTuple):
    """A function: ``type_id`` is of the BTF_KIND_FUNC itself."""

    name: str
    type_id: int


class Type(NamedTuple):
    """One record. ``size`` in bytes where the kind has one, ``type_id`` where it refers to one.

    ``flag`` is BTF's kind_flag: a FWD of a union, signed enumerators. ``length`` is an array's
    number of elements, ``encoding`` the flags of an INT (1 signed, 2 char, 4 bool) and ``width``
    its bits.
    """

    id: int
    kind: Kind
    name: str
    size: int | None = None
    type_id: int | None = None
    flag: bool = False
    members: tuple[Member, ...] = ()
    enumerators: tuple[Enumerator, ...] = ()
    params: tuple[Param, ...] = ()
    length: int | None = None
    encoding: int = 0
    width: int | None = None
