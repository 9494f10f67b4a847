# SPDX-License-Identifier: GPL-3.0-or-later
"""The integers that enumerations are made of, which BTF leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from ...symbols.btf import Kind
from .abbrev import Abbrev
from .part import Part
from .strings import Strings

_BOOL, _SIGNED_ENCODING, _UNSIGNED_ENCODING = 4, 5, 7
#: What compilers take, by bytes and whether it is signed.
_NAMES = {
    (1, False): "unsigned char",
    (1, True): "signed char",
    (2, False): "short unsigned int",
    (2, True): "short int",
    (4, False): "unsigned int",
    (4, True): "int",
    (8, False): "long long unsigned int",
    (8, True): "long long int",
}


class Integers:
    """Base types by size and signedness: BTF's own, or else entries made for them."""

    def __init__(self, part: Part, strings: Strings) -> None:
        """See which there are in the kernel's BTF."""
        self._part, self._strings = part, strings
        self._ids: dict[tuple[int, bool], int] = {}
        self._made: dict[tuple[int, bool], int] = {}
        btf = part.btf
        for i in btf.ids(Kind.INT):
            at = btf.at(i)
            flags = btf.words[at + 3] >> 24
            key = (btf.words[at + 2], bool(flags & 1))
            named = btf.raw_name(btf.words[at]).decode("ascii", "replace")
            usual = key[0] < 8 and named == _NAMES.get(key)  # of 8 bytes, long before long long
            if not flags & _BOOL and (key not in self._ids or usual):
                self._ids[key] = i

    def plan(self, at: int) -> int:
        """Give those that BTF lacks a place from ``at`` on; returns the end."""
        for key in _NAMES:
            if key not in self._ids:
                self._made[key] = at
                at += self._part.pen.width("BIBB")
        return at

    def entry(self, size: int, signed: bool) -> int:
        """Where the entry of an integer lies."""
        key = (size, signed)
        return self._made[key] if key in self._made else self._part.entry(self._ids[key])

    def write(self) -> Iterator[bytes]:
        """The entries that were made."""
        pack = self._part.pen.row("BIBB").pack
        for size, signed in self._made:
            encoding = _SIGNED_ENCODING if signed else _UNSIGNED_ENCODING
            yield pack(Abbrev.BASE, self._strings.add(_NAMES[size, signed]), size, encoding)
