# SPDX-License-Identifier: GPL-3.0-or-later
"""Function types, and functions with the names of their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    part: Part, functions: Iterable[Function], strings: Strings
) -> Iterator[bytes]:
    """Functions where they are linked. All types have to have their places."""
    pen, btf, words = part.pen, part.btf, part.btf.words
    typed, void = pen.row("BIIPI").pack, pen.row("BIPI").pack
    bodies: dict[int, bytes] = {}
    for function in functions:
        type_id, start, end = function.type_id, function.start, function.end
        proto = btf.reference(type_id)
        body = bodies.get(proto)
        if body is None:
            body = bodies[proto] = _parameters(part, proto)
        at = words[btf.at(type_id)]
        if not btf.strings.startswith(function.name.encode() + b"\0", at):
            at = strings.add(function.name)
        ref = btf.reference(proto)
        if ref in part.voids:
            yield void(Abbrev.FUNCTION_VOID, at, start, end - start)
        else:
            yield typed(Abbrev.FUNCTION, at, part.entry(ref), start, end - start)
        yield body


def _parameters(part: Part, proto: int) -> bytes:
    """The parameters of a function, named, and their end."""
    names, types = part.btf.items(proto, 2)
    named, plain = part.pen.row("BII").pack, part.pen.row("BI").pack
    out = []
    for name, type_id in zip(names, types, strict=True):
        if not type_id:
            out.append(bytes((Abbrev.PARAMETERS_OPEN,)))
        elif name:
            out.append(named(Abbrev.PARAMETER_NAMED, name, part.entry(type_id)))
        else:
            out.append(plain(Abbrev.PARAMETER, part.entry(type_id)))
    return b"".join(out) + b"\0"
