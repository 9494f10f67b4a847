# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables by the code that uses them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import takewhile

from ..kernel import Kernel
from ..symbols import KernelSymbols
from .memory import Structures
from .wanted import WANTED, Wanted

_MOST_CODE = 64 << 10  # bytes of a function
_MOST_PARTS = 16  # of a function
_MOST_CANDIDATES = 256
_FEWEST_CALLS, _MOST_CALLS = 64, 4096  # in sys_call_table


class Code:
    """The functions of a kernel, and which addresses each uses."""

    def __init__(self, kernel: Kernel, symbols: KernelSymbols) -> None:
        self._kernel, self._symbols = kernel, symbols
        self._used: dict[int, frozenset[int]] = {}

    def used_by(self, name: str) -> frozenset[int] | None:
        """What the function uses, in whatever parts it was compiled; None where there is none."""
        places = self._places.get(name, [])[:_MOST_PARTS]
        return None if not places else frozenset().union(*map(self._used_at, places))

    def _used_at(self, vaddr: int) -> frozenset[int]:
        if vaddr not in self._used:
            size = min(self._symbols.rooms.get(vaddr, 0), _MOST_CODE)
            code = self._kernel.read(vaddr, size) or b""
            self._used[vaddr] = self._kernel.arch.addresses(code, vaddr)
        return self._used[vaddr]

    def is_call(self, vaddr: int | None) -> bool:
        """Whether a system call starts there."""
        return vaddr in self._calls

    @cached_property
    def _calls(self) -> frozenset[int]:
        table = self._symbols.table
        pairs = zip(table.names, table.vaddrs, strict=True)
        return frozenset(vaddr for name, vaddr in pairs if "sys_" in name)

    @cached_property
    def _places(self) -> Mapping[str, list[int]]:
        """By name; compilers add to it what they made of it: ``.isra.0``."""
        places = defaultdict(list)
        for name, vaddr in zip(self._symbols.table.names, self._symbols.table.vaddrs, strict=True):
            places[name.partition(".")[0]].append(vaddr)
        return places


def used(structures: Structures, code: Code, known: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Those of the variables wanted that can be told: name and address."""
    taken = set(known.values())
    for wanted in WANTED:
        if structures.vaddr(wanted.name) is not None:
            continue
        candidates = _candidates(code, wanted) - taken
        if len(candidates) > _MOST_CANDIDATES:
            continue
        fit = [vaddr for vaddr in candidates if wanted.sign(structures, vaddr)]
        if len(fit) == 1:
            taken.add(fit[0])
            yield wanted.name, fit[0]


def call_table(structures: Structures, code: Code) -> tuple[int, int] | None:
    """``sys_call_table`` and its bytes: pointers to system calls, as far as there are some."""
    found = []
    for vaddr in code.used_by(structures.kernel.arch.call_entry) or ():
        places = range(vaddr, vaddr + _MOST_CALLS * structures.word, structures.word)
        calls = takewhile(lambda at: code.is_call(structures.pointer(at)), places)
        count = sum(1 for _ in calls)
        if count >= _FEWEST_CALLS:
            found.append((vaddr, count * structures.word))
    return found[0] if len(found) == 1 else None


def _candidates(code: Code, wanted: Wanted) -> frozenset[int]:
    """What all of the functions use."""
    sets = []
    for names in wanted.functions.split():
        found = [u for u in map(code.used_by, names.split("|")) if u is not None]
        if found:
            sets.append(frozenset().union(*found))
    return frozenset.intersection(*sets) if len(sets) >= wanted.enough else frozenset()
