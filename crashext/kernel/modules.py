# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that a located kernel has loaded: its list ``modules`` (kernel/module/main.c)."""

from __future__ import annotations

from typing import NamedTuple

from .structs import NotThere, Structs

_MOST = 1 << 14
_NAME = 64  # more than MODULE_NAME_LEN on any word size
_MEMORIES = 8  # enum mod_mem_type has 7


class Module(NamedTuple):
    """One module.

    Attributes:
        name: as lsmod(8) has it.
        vaddr: where its code begins, run-time virtual.
        size: bytes, code and data; 0 where it isn't known.
    """

    name: bytes
    vaddr: int
    size: int


class Modules(NamedTuple):
    """All that could be followed, and what stopped it; empty where nothing did."""

    modules: tuple[Module, ...]
    problem: str = ""


def read_modules(structs: Structs) -> Modules:
    """The modules, the last loaded first."""
    found: list[Module] = []
    try:
        for vaddr in structs.entries(structs.symbol("modules"), "module", "list", _MOST):
            name = structs.text(vaddr + structs.offset("module", "name"), _NAME)
            found.append(Module(name, *_memory(structs, vaddr)))
    except NotThere as problem:
        return Modules(tuple(found), str(problem))
    return Modules(tuple(found))


def _memory(structs: Structs, vaddr: int) -> tuple[int, int]:
    """Where its code begins, and bytes in all: ``mem[]`` since 6.4, ``core_layout`` since 4.5."""
    if structs.has("module", "mem"):
        base = vaddr + structs.offset("module", "mem")
        each = structs.types.sizeof("module_memory") or 0
        places = [base + i * each for i in range(_MEMORIES - 1)] if each else []
        at, size = (structs.offset("module_memory", member) for member in ("base", "size"))
        starts = [structs.pointer(place + at) for place in places]
        sizes = [structs.number(place + size, 4) for place in places]
        return (starts[0], sum(sizes)) if starts else (0, 0)
    if structs.has("module", "core_layout"):
        at = vaddr + structs.offset("module", "core_layout.base")
        size = vaddr + structs.offset("module", "core_layout.size")
        return structs.pointer(at), structs.number(size, 4)
    return 0, 0
