# SPDX-License-Identifier: GPL-3.0-or-later
"""Enumerations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ...symbols.btf import Kind
from ...symbols.btf.columns import words_at
from ...symbols.btf.decode import enum_columns, is_signed
from .abbrev import Abbrev
from .integers import Integers
from .part import Part
from .pen import sleb128

_leb = lru_cache(maxsize=4096)(sleb128)


class Enums:
    """The enumerations of one BTF that have enumerators; written but for their types' places."""

    def __init__(self, part: Part) -> None:
        """Write what is known now."""
        self._part = part
        btf = part.btf
        self.ids = [i for i in btf.ids(Kind.ENUM, Kind.ENUM64) if btf.count(i)]
        self._names = words_at(btf, self.ids, 0)
        plain, wide = part.pen.row("BI").pack, part.pen.row("BIQ").pack
        self._bodies = []
        for i in self.ids:
            names, values = enum_columns(btf, i)
            self._bodies.append(
                b"".join(
                    # As compilers do: no LEB128 of readers' 64 bits holds it.
                    wide(Abbrev.ENUMERATOR_WIDE, name, value)
                    if value >> 63 == 1
                    else plain(Abbrev.ENUMERATOR, name) + _leb(value)
                    for name, value in zip(part.names(names), values, strict=True)
                )
            )

    def sizes(self) -> Iterator[int]:
        """Bytes of each entry, its enumerators and their end."""
        width = self._part.pen.width
        for name, body in zip(self._names, self._bodies, strict=True):
            yield (width("BIBI") if name else width("BBI")) + len(body) + 1

    def write(self, integers: Integers) -> Iterator[bytes]:
        """The entries, in the order of ``ids``. All types have to have their places."""
        part = self._part
        named, anon = part.pen.row("BIBI").pack, part.pen.row("BBI").pack
        names = part.names(self._names)
        for n, i in enumerate(self.ids):
            size = part.btf.reference(i)
            entry = integers.entry(size, is_signed(part.btf, i))
            if self._names[n]:
                yield named(Abbrev.ENUM, names[n], size, entry)
            else:
                yield anon(Abbrev.ENUM_ANON, size, entry)
            yield self._bodies[n]
            yield b"\0"
