# SPDX-License-Identifier: GPL-3.0-or-later
"""All that memory still tells of data symbols, where kallsyms has functions alone."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ...symbols.btf import Btf
from ...symbols.exports import Exports, read_exports
from ...symbols.kallsyms import Layout, Symbols
from ...vmcoreinfo import parse
from ..kernel import Kernel
from ..symbols import KernelSymbols
from .blocks import Copy, read_only_blocks
from .btf_data import find_btf
from .per_cpu import per_cpu_symbols

#: What every kernel has, and kallsyms lists where it lists data.
_DATA = "init_task"
#: VMCOREINFO's SYMBOL() of it is what that pointer holds (VMCOREINFO_SYMBOL_ARRAY, SPARSEMEM_EXTREME).
_NO_ADDRESSES = frozenset(("mem_section",))


class Completed(NamedTuple):
    """The symbols, those found besides among them, and in words how many of those there are."""

    symbols: KernelSymbols
    notes: tuple[str, ...] = ()


def completed(kernel: Kernel, symbols: KernelSymbols) -> Completed:
    """``symbols`` as they are where kallsyms has all of them, else with what else memory tells."""
    if symbols.vaddr(_DATA) is not None:
        return Completed(symbols)
    search = _Search(kernel, symbols)
    for source, found in search.all():
        search.add(source, found)
    return Completed(KernelSymbols(_joined(symbols.table, search.found)), tuple(search.notes()))


class _Search:
    """What is found, source by source; the first of a name stays."""

    def __init__(self, kernel: Kernel, symbols: KernelSymbols) -> None:
        self.kernel, self.symbols = kernel, symbols
        self.found: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def add(self, source: str, found: Mapping[str, int]) -> None:
        """Take the symbols that are new."""
        new = {n: v for n, v in found.items() if n not in self.found and not self._listed(n)}
        self.found.update(new)
        self._counts[source] = self._counts.get(source, 0) + len(new)

    def _listed(self, name: str) -> bool:
        return self.symbols.vaddr(name) is not None

    def all(self) -> Iterator[tuple[str, Mapping[str, int]]]:
        """The sources, the surest first."""
        exports, btf, types = self._tables()
        if exports is not None:
            yield "the exports", exports.vaddrs
            yield "the exports", dict(_bounds(exports))
        if types is not None:
            yield "BTF", {"__start_BTF": types[0], "__stop_BTF": types[1]}
        yield "VMCOREINFO", self._told()
        if btf is not None:
            yield "BTF", per_cpu_symbols(btf, self.found)

    def _tables(self) -> tuple[Exports | None, Btf | None, tuple[int, int] | None]:
        exports, btf, types = None, None, None
        arch = self.kernel.arch
        functions = defaultdict(list)
        for name, vaddr in zip(self.symbols.table.names, self.symbols.table.vaddrs, strict=True):
            functions[name].append(vaddr)
        for copy in read_only_blocks(self.kernel):
            if exports is None:
                layout = Layout(arch.byte_order, arch.word)
                exports = read_exports(copy.block, copy.vaddr, lambda n: functions.get(n, ()), layout)
            if btf is None:
                types = find_btf(copy, arch.byte_order)
                btf = None if types is None else _btf(copy, types)
        return exports, btf, types

    def _told(self) -> dict[str, int]:
        """The symbols of VMCOREINFO that lie in the image."""
        said = parse(self.kernel.vmcoreinfo or b"").symbols
        start = self.kernel.start or 0
        end = max((run.end for run in self.kernel.runs), default=start)
        return {n: v for n, v in said.items() if start <= v < end and n not in _NO_ADDRESSES}

    def notes(self) -> Iterator[str]:
        """What there is, and where it is from."""
        counts = ", ".join(f"{count} of {source}" for source, count in self._counts.items() if count)
        yield (
            "data symbols: the kernel has functions alone in kallsyms (no CONFIG_KALLSYMS_ALL)"
            + (f"; {counts}" if counts else "")
        )


def _btf(copy: Copy, types: tuple[int, int]) -> Btf:
    start, end = (vaddr - copy.vaddr for vaddr in types)
    return Btf(bytes(copy.block[start:end]))


def _bounds(exports: Exports) -> Iterator[tuple[str, int]]:
    """The linker's names, where the tables are those two that kernels have since 5.12."""
    names = ("__ksymtab", "__ksymtab_gpl")
    if len(exports.tables) == len(names):
        for name, (start, end) in zip(names, exports.tables, strict=True):
            yield f"__start_{name}", start
            yield f"__stop_{name}", end


def _joined(table: Symbols, found: Mapping[str, int]) -> Symbols:
    """Both, ascending."""
    rows = [*zip(table.vaddrs, table.kinds, table.names, strict=True)]
    rows += [(vaddr, ord("D"), name) for name, vaddr in found.items()]
    rows.sort(key=lambda row: row[0])
    return Symbols(
        [name for _, _, name in rows],
        bytearray(kind for _, kind, _ in rows),
        array("Q", (vaddr for vaddr, _, _ in rows)),
        table.refused,
    )
