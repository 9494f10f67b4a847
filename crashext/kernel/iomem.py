# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel was told about its physical addresses: ``/proc/iomem`` (kernel/resource.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .structs import NotThere, Structs

_MOST = 4096
_DEEPEST = 16
_NAME = 128


class Resource(NamedTuple):
    """One ``struct resource``: physical ``[start, end)``, and how far it is nested."""

    start: int
    end: int
    name: bytes
    depth: int


class Resources(NamedTuple):
    """All that could be followed, and what stopped it; empty where nothing did."""

    resources: tuple[Resource, ...]
    problem: str = ""


def read_resources(structs: Structs) -> Resources:
    """The tree below ``iomem_resource``, each before those inside it."""
    found: list[Resource] = []
    try:
        for each in _Walk(structs).below(structs.symbol("iomem_resource"), 0):
            found.append(each)
            if len(found) == _MOST:
                return Resources(tuple(found), f"there are more than {_MOST} resources")
    except NotThere as problem:
        return Resources(tuple(found), str(problem))
    return Resources(tuple(found))


class _Walk:
    """Follows ``child`` and ``sibling``, each resource once."""

    def __init__(self, structs: Structs) -> None:
        self._structs = structs
        names = ("start", "end", "name", "sibling", "child")
        self._start, self._end, self._name, self._sibling, self._child = (
            structs.offset("resource", name) for name in names
        )
        self._width = self._end - self._start  # resource_size_t may be wider than a pointer
        self._seen: set[int] = set()

    def below(self, parent: int, depth: int) -> Iterator[Resource]:
        structs = self._structs
        at = structs.pointer(parent + self._child)
        while at:
            if at in self._seen or depth > _DEEPEST:
                raise NotThere(f"the tree of resources runs into a circle at {at:#x}")
            self._seen.add(at)
            start, end = (structs.number(at + o, self._width) for o in (self._start, self._end))
            name = structs.pointer(at + self._name)
            if start <= end:
                yield Resource(start, end + 1, structs.text(name, _NAME) if name else b"", depth)
            yield from self.below(at, depth + 1)
            at = structs.pointer(at + self._sibling)
