# SPDX-License-Identifier: GPL-3.0-or-later
"""All entries of one BTF: first their places, then their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from .compound import Changed, Compounds
from .enums import Enums
from .functions import Prototypes
from .integers import Integers
from .part import Part
from .plain import tables

Chunk = bytes | bytearray | memoryview


class Types:
    """The types of one BTF, kind by kind."""

    def __init__(self, part: Part, wanted: set[int], changed: Mapping[int, Changed]) -> None:
        """Learn how large each entry will be."""
        self._part = part
        self._tables = list(tables(part))
        self._enums = Enums(part)
        self._compounds = Compounds(part, changed)
        self._prototypes = Prototypes(part, wanted)

    @property
    def count(self) -> int:
        """How many types have an entry."""
        ids = [table.ids for table in self._tables]
        ids += [self._enums.ids, self._compounds.ids, self._prototypes.ids]
        return sum(map(len, ids))

    def plan(self, at: int) -> int:
        """Give every entry a place from ``at`` on; returns the end."""
        part = self._part
        for table in self._tables:
            width = part.pen.width(table.fields)
            end = at + width * len(table.ids)
            part.put(table.ids, range(at, end, width))
            at = end
        at = self._compounds.empty.plan(at)
        for each in (self._enums, self._compounds, self._prototypes):
            *places, at = accumulate(each.sizes(), initial=at)
            part.put(each.ids, places)
        part.put_tags()
        return at

    def write(self, integers: Integers) -> Iterator[Chunk]:
        """The entries, in the order in which they were planned."""
        pen = self._part.pen
        for table in self._tables:
            yield pen.table(table.fields, len(table.ids), *table.columns())
        yield self._compounds.empty.write()
        yield b"".join(self._enums.write(integers))
        yield b"".join(self._compounds.write())
        yield b"".join(self._prototypes.write())
