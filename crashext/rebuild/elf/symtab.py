# SPDX-License-Identifier: GPL-3.0-or-later
"""``.symtab`` and ``.strtab`` from the symbols of kallsyms."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import starmap
from typing import NamedTuple

from ...dumps.base import ByteOrder
from ...symbols.kallsyms import Symbols
from ..layout import PER_CPU, Section
from .marks import LITTLE, MOST_GAP, is_mark

_LOCAL, _GLOBAL, _WEAK = 0, 1, 2
_NOTYPE, _OBJECT, _FUNC, _SECTION = 0, 1, 2, 3
_CODE = frozenset(("text", "freed text"))
#: By nm's letter.
_BINDS = [_LOCAL if chr(kind).islower() else _GLOBAL for kind in range(256)]
for _letter in b"wWvV":
    _BINDS[_letter] = _WEAK


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


class Known(NamedTuple):
    """What else is known of symbols.

    Attributes:
        code: the bytes of functions, by run-time address.
        typed: those of functions and variables with a type, by name.
        hidden: names that are local, whatever kallsyms says.
    """

    code: Mapping[int, int]
    typed: Mapping[str, int]
    hidden: Set[str]


def symbol_table(
    table: Symbols,
    sections: Sequence[Section],
    moved: int,
    rooms: Mapping[int, int],
    *,
    byte_order: ByteOrder = "little",
    word: int = 8,
    known: Known | None = None,
) -> SymbolTable:
    """Symbols at linked addresses, ``moved`` below where they run; ``sections`` count from 1.

    ``rooms`` are the bytes from each run-time address to the next.

    A section symbol of each section comes first: crash takes ``.rodata`` from there. None is
    absolute: crash does not move those, and one sorted last breaks its look-up by address.
    """
    code, typed, hidden = known or Known({}, {}, frozenset())
    places = _places(table, sections, moved)
    ends = [0, *(section.end for section in sections)]
    forms = [0, *(_FUNC if section.kind in _CODE else _OBJECT for section in sections)]
    local = [(0, 0, 0, 0, 0), *((0, _SECTION, n, s.start, 0) for n, s in enumerate(sections, 1))]
    others: list[tuple[int, int, int, int, int]] = []
    at = 1
    rows = zip(table.names, table.kinds, table.vaddrs, places, strict=True)
    for name, kind, vaddr, (value, section) in rows:
        if section:
            form, size = forms[section], typed.get(name)
            gap = min(rooms[vaddr], ends[section] - value)
            if size is None:
                if is_mark(name):
                    form = size = _NOTYPE
                elif form == _FUNC:
                    size = code.get(vaddr, gap)
                else:
                    size = gap if gap <= MOST_GAP else LITTLE
            elif size > gap:
                size = gap
            bind = _LOCAL if name in hidden else _BINDS[kind]
            (others if bind else local).append((at, bind << 4 | form, section, value, size))
        at += len(name) + 1
    kept = len(local) + len(others) - len(sections) - 1
    names = "\0".join(["", *table.names, ""]).encode("ascii")
    symbols = _packed([*local, *others], byte_order, word)
    return SymbolTable(symbols, names, len(local), kept, len(table) - kept)


def _places(table: Symbols, sections: Sequence[Section], moved: int) -> list[tuple[int, int]]:
    """The linked address of each symbol, and the number of its section; 0 for none.

    A label of a section's end belongs to it.
    """
    apart = sections[0] if sections and sections[0].name == PER_CPU else None
    offsets = apart.end if apart is not None and apart.run is None else -1
    first = 0 if offsets < 0 else 1
    starts = [section.start for section in sections[first:]]
    places = []
    for vaddr in table.vaddrs:
        if vaddr <= offsets:
            places.append((vaddr, 1))
            continue
        value = vaddr - moved
        number = bisect_right(starts, value) + first
        section = sections[number - 1]
        if section.kind == "gap" and value == section.start and number > first + 1:
            number -= 1  # the end of the section before
        inside = number > first and value <= sections[number - 1].end
        places.append((value, number if inside else 0))
    return places


def _packed(
    entries: Iterable[tuple[int, int, int, int, int]], byte_order: ByteOrder, word: int
) -> bytes:
    """``Elf32_Sym`` or ``Elf64_Sym``: elf.h has the fields in another order in 32 bits."""
    mark = "<" if byte_order == "little" else ">"
    if word == 8:
        pack = struct.Struct(mark + "IBxHQQ").pack
        return b"".join(starmap(pack, entries))
    narrow = struct.Struct(mark + "IIIBxH").pack
    return b"".join(
        narrow(name, value, size, info, section) for name, info, section, value, size in entries
    )
