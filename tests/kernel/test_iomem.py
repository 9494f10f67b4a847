# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of /proc/iomem: as it should be, and as a guest may leave it."""

from __future__ import annotations

from typing import cast

import pytest

from crashext.kernel.iomem import Resource, read_resources
from crashext.kernel.structs import NotThere, Structs

ROOT = 0x1000
#: struct resource of 64-bit kernels: start, end, name, flags, desc, parent, sibling, child.
OFFSETS = {"start": 0, "end": 8, "name": 16, "sibling": 48, "child": 56}


class Memory:
    """Resources by address: start, end, name, sibling, child."""

    def __init__(self, nodes: dict[int, tuple[int, int, bytes, int, int]]) -> None:
        self.words: dict[int, int] = {}
        self.names: dict[int, bytes] = {}
        for at, (start, end, name, sibling, child) in nodes.items():
            values = {"start": start, "end": end, "sibling": sibling, "child": child}
            self.words |= {at + OFFSETS[key]: value for key, value in values.items()}
            self.words[at + OFFSETS["name"]] = at | 1 << 40
            self.names[at | 1 << 40] = name

    def symbol(self, name: str) -> int:
        assert name == "iomem_resource"
        return ROOT

    def offset(self, struct: str, member: str) -> int:
        assert struct == "resource"
        return OFFSETS[member]

    def pointer(self, vaddr: int) -> int:
        if vaddr not in self.words:
            raise NotThere(f"{vaddr:#x} is not in the dump")
        return self.words[vaddr]

    def number(self, vaddr: int, size: int) -> int:
        assert size == 8
        return self.pointer(vaddr)

    def text(self, vaddr: int, size: int) -> bytes:
        return self.names[vaddr][:size]


def read(nodes: dict[int, tuple[int, int, bytes, int, int]]) -> tuple[list[Resource], str]:
    resources, problem = read_resources(cast("Structs", Memory(nodes)))
    return list(resources), problem


def test_each_comes_before_what_is_inside_it() -> None:
    found, problem = read({
        ROOT: (0, (1 << 64) - 1, b"PCI mem", 0, 0x2000),
        0x2000: (0, 0xFFF, b"Reserved", 0x3000, 0),
        0x3000: (0x1000, 0xFFFF, b"System RAM", 0, 0x4000),
        0x4000: (0x2000, 0x2FFF, b"Kernel code", 0, 0),
    })  # fmt: skip
    assert problem == ""
    assert found == [
        Resource(0, 0x1000, b"Reserved", 0),
        Resource(0x1000, 0x10000, b"System RAM", 0),
        Resource(0x2000, 0x3000, b"Kernel code", 1),
    ]


@pytest.mark.parametrize(("sibling", "child"), [(0x2000, 0), (0, 0x2000), (0x3000, 0x2000)])
def test_circles_end_and_are_said(sibling: int, child: int) -> None:
    found, problem = read({
        ROOT: (0, 1, b"", 0, 0x2000),
        0x2000: (0, 1, b"a", 0x3000, 0),
        0x3000: (2, 3, b"b", sibling, child),
    })  # fmt: skip
    assert [each.name for each in found] == [b"a", b"b"]
    assert "circle" in problem


def test_a_tree_without_an_end_is_cut() -> None:
    nodes = {at: (at, at, b"x", at + 64, 0) for at in range(0x2000, 0x2000 + 5000 * 64, 64)}
    found, problem = read({ROOT: (0, 1, b"", 0, 0x2000), **nodes})
    assert len(found) == 4096 and "more than 4096" in problem
    deep = {at: (at, at, b"x", 0, at + 64) for at in range(0x2000, 0x2000 + 100 * 64, 64)}
    assert len(read({ROOT: (0, 1, b"", 0, 0x2000), **deep})[0]) < 20


def test_what_leads_out_of_the_dump_and_what_ends_before_it_starts() -> None:
    found, problem = read({
        ROOT: (0, 1, b"", 0, 0x2000),
        0x2000: (9, 1, b"turned", 0x3000, 0),
        0x3000: (2, 3, b"last", 0x9000, 0),
    })  # fmt: skip
    assert [each.name for each in found] == [b"last"]
    assert "is not in the dump" in problem
