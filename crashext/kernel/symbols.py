# SPDX-License-Identifier: GPL-3.0-or-later
"""Every symbol of a located kernel, from its own kallsyms (kernel/kallsyms.c)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType

from ..locate.image.identify import RODATA_MAX, read_only
from ..symbols.kallsyms import Block, Layout, Symbols, read_all
from ..vmcoreinfo import parse
from .kernel import Kernel

_NOTHING: Mapping[str, int] = MappingProxyType({})
_PREFIX = "kallsyms_"
_INDEX_SIZE = 512  # bytes of kallsyms_token_index
_MOST_TABLES = 64 << 20
_PAGE = 4096
_LONGEST_FUNCTION = 1 << 20  # bytes; behind the last one nothing is known


class KernelSymbols:
    """The symbols of a kernel as it runs.

    Attributes:
        table: all of them, in the kernel's order.
        whole: whether it is all that the kernel has: then none lies between two neighbours.
        sizes: bytes of variables that say themselves where they end.
    """

    def __init__(
        self, table: Symbols, *, whole: bool = True, sizes: Mapping[str, int] = _NOTHING
    ) -> None:
        self.table, self.whole, self.sizes = table, whole, sizes

    def vaddr(self, *names: str) -> int | None:
        """Run-time address of the first known of ``names``; the first symbol of a name."""
        return next((self._first[name] for name in names if name in self._first), None)

    def vaddrs(self, name: str) -> list[int]:
        """Those of all symbols of a name."""
        pairs = zip(self.table.names, self.table.vaddrs, strict=True)
        return [vaddr for each, vaddr in pairs if each == name]

    def at(self, vaddr: int) -> str | None:
        """The symbol that an address of the code is in, and how far: ``schedule+0x1b``.

        The first of several at an address, as the kernel has it (get_symbol_pos, kallsyms.c).
        """
        index = bisect_right(self.table.vaddrs, vaddr) - 1
        if index < 0:
            return None
        index = bisect_left(self.table.vaddrs, self.table.vaddrs[index])
        if chr(self.table.kinds[index]).lower() not in "tw":
            return None
        into = vaddr - self.table.vaddrs[index]
        return f"{self.table.names[index]}+{into:#x}" if into < _LONGEST_FUNCTION else None

    @cached_property
    def rooms(self) -> Mapping[int, int]:
        """Of each symbol's address the bytes to the next: no variable there is larger."""
        places = sorted(set(self.table.vaddrs))
        return {a: b - a for a, b in pairwise([*places, places[-1]])} if places else {}

    @cached_property
    def unique(self) -> Mapping[str, int]:
        """Run-time addresses of the names that only one symbol has."""
        names = self.table.names
        if len(self._first) == len(names):
            return self._first
        often = {name for name, count in Counter(names).items() if count > 1}
        return {name: vaddr for name, vaddr in self._first.items() if name not in often}

    @cached_property
    def _first(self) -> dict[str, int]:
        pairs = zip(reversed(self.table.names), reversed(self.table.vaddrs), strict=True)
        return dict(pairs)


def find_symbols(kernel: Kernel) -> KernelSymbols | None:
    """The symbols of ``kernel``; None where it has no kallsyms, or memory lacks a part of it."""
    start = kernel.start
    if start is None:
        return None
    layout = Layout(kernel.arch.byte_order, kernel.arch.word)
    # What lies before .text may not be mapped, and _text be the first address that is.
    starts = sorted({start, *(run.vaddr for run in kernel.runs[:1])})
    for vaddr, block in _blocks(kernel):
        table = read_all(block, starts, layout, vaddr)
        if table is not None:
            return KernelSymbols(table)
    return None


def _blocks(kernel: Kernel) -> Iterator[tuple[int, Block]]:
    """Copies of where the tables may be, and their addresses: as told, else all of .rodata."""
    told = _told(kernel)
    if told is not None:
        yield told, kernel.copy(told, _size(kernel, told))
    for run in read_only(list(kernel.runs)):
        yield run.vaddr, kernel.copy(run.vaddr, min(run.size, RODATA_MAX))


def _told(kernel: Kernel) -> int | None:
    """The first of the tables that VMCOREINFO names (6.0 and later)."""
    places = _named(kernel)
    usable = len(places) > 3 and all(map(kernel.arch.is_image_vaddr, places))
    return min(places) & -_PAGE if usable and max(places) - min(places) < _MOST_TABLES else None


def _size(kernel: Kernel, start: int) -> int:
    """Bytes from there to behind the last table: offsets or names are not longer than all else."""
    span = max(_named(kernel)) + _INDEX_SIZE - start
    return 2 * span + _PAGE


def _named(kernel: Kernel) -> list[int]:
    symbols = parse(kernel.vmcoreinfo or b"").symbols
    return [vaddr for name, vaddr in symbols.items() if name.startswith(_PREFIX)]
