# SPDX-License-Identifier: GPL-3.0-or-later
"""Function types, and functions with the names of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...symbols.btf import Kind
from ...symbols.btf.columns import gather, words_at
from ..shape import Function
from .abbrev import Abbrev
from .part import Part
from .strings import Strings


class Prototypes:
    """The function types of one BTF. Those that only functions have need no entry."""

    def __init__(self, part: Part, wanted: set[int]) -> None:
        """Learn how large each will be."""
        self._part = part
        btf = part.btf
        self.ids = [i for i in btf.ids(Kind.FUNC_PROTO) if i in wanted]
        self._items = gather(btf, self.ids, 2)
        self._returns = words_at(btf, self.ids, 2)

    def sizes(self) -> Iterator[int]:
        """Bytes of each entry, its parameters and their end."""
        width, firsts = self._part.pen.width, self._items.firsts
        typed, void, each, opened = width("BI"), width("B"), width("BI"), width("B")
        _, types = self._items.columns
        for n, end in enumerate(firsts[1:]):
            size = void if self._returns[n] in self._part.voids else typed
            count = end - firsts[n]
            if count and types[end - 1] == 0:
                size += opened - each
            yield size + each * count + 1

    def write(self) -> Iterator[bytes | memoryview]:
        """The entries, in the order of ``ids``. All types have to have their places."""
        part, pen, firsts = self._part, self._part.pen, self._items.firsts
        types = part.types(self._items.columns[1])
        rows = memoryview(pen.table("BI", len(types), Abbrev.PARAMETER, types))
        step, pack = pen.width("BI"), pen.row("BI").pack
        for n, ref in enumerate(self._returns):
            first, end = firsts[n], firsts[n + 1]
            if ref in part.voids:
                yield bytes((Abbrev.FUNCTION_TYPE_VOID,))
            else:
                yield pack(Abbrev.FUNCTION_TYPE, part.entry(ref))
            is_open = end > first and types[end - 1] == 0
            yield rows[step * first : step * (end - is_open)]
            yield bytes((Abbrev.PARAMETERS_OPEN, 0)) if is_open else b"\0"


def write_functions(
    part: Part, functions: Sequence[Function], strings: Strings
) -> Iterator[bytes | memoryview]:
    """Functions where they are linked. All types have to have their places."""
    btf = part.btf
    typed, void = part.pen.row("BIIPI").pack, part.pen.row("BIPI").pack
    for function in functions:
        if not function.type_id:
            start, size = function.start, function.end - function.start
            yield void(Abbrev.FUNCTION_UNKNOWN, strings.add(function.name), start, size)
    functions = [function for function in functions if function.type_id]
    ids = [function.type_id for function in functions]
    names, protos = words_at(btf, ids, 0), words_at(btf, ids, 2)
    distinct = list(dict.fromkeys(protos))
    returns = dict(zip(distinct, words_at(btf, distinct, 2), strict=True))
    bodies = dict(zip(distinct, _parameters(part, distinct), strict=True))
    starts_with = btf.strings.startswith
    for function, given, proto in zip(functions, names, protos, strict=True):
        same = starts_with(function.name.encode("utf-8", "replace") + b"\0", given)
        name = given if same else strings.add(function.name)
        start, size = function.start, function.end - function.start
        entry = part.entry(returns[proto])
        if entry:
            yield typed(Abbrev.FUNCTION, name, entry, start, size)
        else:
            yield void(Abbrev.FUNCTION_VOID, name, start, size)
        yield bodies[proto]


def _parameters(part: Part, protos: list[int]) -> Iterator[bytes | memoryview]:
    """The parameters of functions of each type, with names, and their end."""
    pen, items = part.pen, gather(part.btf, protos, 2)
    names, types = items.columns
    entries = part.types(types)
    rows = memoryview(pen.table("BII", len(types), Abbrev.PARAMETER_NAMED, names, entries))
    step, plain = pen.width("BII"), pen.row("BI").pack
    for first, end in zip(items.firsts, items.firsts[1:], strict=False):
        if 0 not in names[first:end]:
            yield bytes(rows[step * first : step * end]) + b"\0"
            continue
        out = b""
        for n in range(first, end):
            if names[n]:
                out += rows[step * n : step * (n + 1)]
            elif entries[n]:
                out += plain(Abbrev.PARAMETER, entries[n])
            else:
                out += bytes((Abbrev.PARAMETERS_OPEN,))
        yield out + b"\0"
