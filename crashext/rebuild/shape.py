# SPDX-License-Identifier: GPL-3.0-or-later
"""What debug information is made of, besides BTF itself: variables and functions, placed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What stands before a type: a count makes an array of it, None one of unknown length.
Wrap = Literal["pointer", "const", "volatile"] | int | None


@dataclass(frozen=True, slots=True)
class Shape:
    """A type that BTF need not have: a BTF type with what is wrapped around it.

    ``wraps`` from the outside in: ``(4, "pointer")`` around task_struct is an array of four
    pointers to it. ``type_id`` is of the vmlinux's BTF; 0 is void.
    """

    wraps: tuple[Wrap, ...]
    type_id: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A global variable.

    ``vaddr`` is where it is linked; ``value`` stands instead where tools are to be told what it
    holds.
    """

    name: str
    shape: Shape
    vaddr: int | None
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A function: ``type_id`` is of its BTF_KIND_FUNC, 0 where BTF has none.

    Addresses are as linked, ``end`` behind it.
    """

    name: str
    type_id: int
    start: int
    end: int
