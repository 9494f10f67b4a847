# SPDX-License-Identifier: GPL-3.0-or-later
"""``.symtab`` and ``.strtab`` from the symbols of kallsyms."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ...dumps.base import ByteOrder
from ...symbols.kallsyms import Symbols
from ..layout import PER_CPU, Section

_LOCAL, _GLOBAL, _WEAK = 0, 1, 2
_OBJECT, _FUNC, _SECTION = 1, 2, 3
_CODE = frozenset(("text", "freed text"))


class SymbolTable(NamedTuple):
    """Both sections' bytes; ``locals`` is the index of the first global symbol.

    ``kept`` of the symbols are the kernel's own, ``outside`` of them lie in no section and
    were left out.
    """

    symbols: bytes
    strings: bytes
    locals: int
    kept: int
    outside: int


class _Placed(NamedTuple):
    """What is needed of each symbol: its number in the table, and the section it is in."""

    number: int
    section: int
    value: int


def symbol_table(
    table: Symbols,
    sections: Sequence[Section],
    moved: int,
    *,
    byte_order: ByteOrder = "little",
    word: int = 8,
) -> SymbolTable:
    """Symbols at linked addresses, ``moved`` below where they run; ``sections`` count from 1.

    A section symbol of each section comes first: crash takes ``.rodata`` from there. None is
    absolute: crash does not move those, and one sorted last breaks its look-up by address.
    Sizes are the distance to the next symbol of the section: kallsyms has none.
    """
    placed = _placed(table, sections, moved)
    sizes = _sizes(placed, sections)
    ordered = sorted(placed, key=lambda p: not chr(table.kinds[p.number]).islower())
    pack = _Packer(byte_order, word).entry
    entries = [pack(0, 0, 0, 0, 0)]
    entries += [
        pack(0, _SECTION, number, section.start, 0) for number, section in enumerate(sections, 1)
    ]
    names, length, first = [""], 1, len(entries)
    for index, section, value in ordered:
        name, kind = table.names[index], table.kinds[index]
        bind = _bind(kind)
        first += bind == _LOCAL
        form = _FUNC if sections[section - 1].kind in _CODE else _OBJECT
        entries.append(pack(length, bind << 4 | form, section, value, sizes[value]))
        names.append(name)
        length += len(name) + 1
    strings = "\0".join(names).encode("ascii") + b"\0"
    return SymbolTable(b"".join(entries), strings, first, len(ordered), len(table) - len(placed))


def _placed(table: Symbols, sections: Sequence[Section], moved: int) -> list[_Placed]:
    """The symbols that lie in a section, or right behind one: labels of its end."""
    apart = sections[0] if sections and sections[0].name == PER_CPU else None
    image = [(n, s) for n, s in enumerate(sections, 1) if s is not apart]
    starts = [section.start for _, section in image]
    placed = []
    for index, vaddr in enumerate(table.vaddrs):
        if apart is not None and apart.run is None and apart.start <= vaddr <= apart.end:
            placed.append(_Placed(index, 1, vaddr))
            continue
        value = vaddr - moved
        at = bisect_right(starts, value) - 1
        if at >= 0 and value <= image[at][1].end:
            placed.append(_Placed(index, image[at][0], value))
    return placed


def _sizes(placed: Sequence[_Placed], sections: Sequence[Section]) -> dict[int, int]:
    """The room from each value to the next, or to its section's end."""
    values = sorted({(p.value, p.section) for p in placed})
    sizes = {}
    for (value, number), (following, _) in pairwise([*values, (1 << 64, 0)]):
        end = min(following, sections[number - 1].end)
        sizes[value] = max(end - value, 0)
    return sizes


def _bind(kind: int) -> int:
    letter = chr(kind)
    if letter in "wWvV":
        return _WEAK
    return _LOCAL if letter.islower() else _GLOBAL


class _Packer:
    """``Elf32_Sym`` or ``Elf64_Sym``: elf.h has the fields in another order in 32 bits."""

    def __init__(self, byte_order: ByteOrder, word: int) -> None:
        mark = "<" if byte_order == "little" else ">"
        self._wide = word == 8
        self._pack = struct.Struct(mark + ("IBBHQQ" if self._wide else "IIIBBH")).pack

    def entry(self, name: int, info: int, section: int, value: int, size: int) -> bytes:
        """One symbol of default visibility."""
        if self._wide:
            return self._pack(name, info, 0, section, value, size)
        return self._pack(name, value, size, info, 0, section)
