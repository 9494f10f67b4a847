# SPDX-License-Identifier: GPL-3.0-or-later
"""All that memory still tells of data symbols, where kallsyms has functions alone."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from ...arch.base import Run
from ...symbols.btf import Btf
from ...symbols.exports import Exports, read_exports
from ...symbols.kallsyms import Layout, Symbols
from ...vmcoreinfo import parse
from ..kernel import Kernel
from ..symbols import KernelSymbols
from .blocks import Copy, read_only_blocks
from .bounds import bounds
from .btf_data import find_btf
from .code import Code, call_table, used
from .memory import Structures
from .own_space import own_space
from .per_cpu import per_cpu_symbols
from .resources import image_bounds
from .signs import clocks
from .texts import find_banner, find_notes

#: What every kernel has, and kallsyms lists where it lists data.
_DATA = "init_task"
#: Of VMCOREINFO's SYMBOL() lines those with a pointer's value (VMCOREINFO_SYMBOL_ARRAY, with
#: SPARSEMEM_EXTREME), and with what is a part of ``node_states``.
_NO_SYMBOLS = frozenset(("mem_section", "node_online_map"))
#: What VMCOREINFO calls the kernel's own top-level table, whatever its symbol is.
_TABLE = "swapper_pg_dir"
_CALLS = "sys_call_table"
_MOST_IMAGE = 1 << 28  # bytes


class Completed(NamedTuple):
    """The symbols of a kernel, those found besides among them.

    Attributes:
        symbols: all of them.
        bounds: about where sections start and end, by the linker's names.
        btf: the kernel's types, where they were found and are sound.
        notes: what is missing, and what there is in place of it, in words.
    """

    symbols: KernelSymbols
    bounds: Mapping[str, int]
    btf: Btf | None
    notes: tuple[str, ...]


def completed(kernel: Kernel, symbols: KernelSymbols) -> Completed:
    """``symbols`` as they are where kallsyms has all of them, else with what else memory tells."""
    if symbols.vaddr(_DATA) is not None:
        return Completed(symbols, {}, None, ())
    search = _Search(kernel, symbols)
    search.run()
    table = _joined(symbols.table, search.found, kernel.runs)
    last = max(table.vaddrs, default=0)
    about = bounds(kernel, search.vaddr, last) | search.about
    return Completed(
        KernelSymbols(table, whole=False, sizes=search.sizes),
        about,
        search.btf,
        tuple(search.notes()),
    )


class _Search:
    """What is found, source by source: the first of a name stays."""

    def __init__(self, kernel: Kernel, symbols: KernelSymbols) -> None:
        self.kernel, self.symbols = kernel, symbols
        self.found: dict[str, int] = {}
        self.about: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._exports: Exports | None = None
        self.btf: Btf | None = None

    def vaddr(self, *names: str) -> int | None:
        """Of the first of ``names`` that is known by now."""
        known = (self.found.get(name, self.symbols.vaddr(name)) for name in names)
        return next((vaddr for vaddr in known if vaddr is not None), None)

    def run(self) -> None:
        """Ask all sources, the surest first."""
        for copy in read_only_blocks(self.kernel):
            self._read_tables(copy)
            self._read_texts(copy)
        self._add("VMCOREINFO", self._told())
        if self.btf is not None:
            structures = Structures(self.kernel, self.btf, self.vaddr)
            per_cpu = per_cpu_symbols(self.btf, self.found)
            if per_cpu is not None:
                self._add("BTF", per_cpu.vaddrs)
                self.about["__per_cpu_end"] = structures.last_per_cpu = per_cpu.end
            self._follow(structures)

    def _add(self, source: str, found: Mapping[str, int]) -> None:
        """Take the symbols that are new."""
        new = {name: vaddr for name, vaddr in found.items() if self.vaddr(name) is None}
        self.found.update(new)
        self._counts[source] = self._counts.get(source, 0) + len(new)

    def _read_tables(self, copy: Copy) -> None:
        arch = self.kernel.arch
        if self._exports is None:
            layout = Layout(arch.byte_order, arch.word)
            self._exports = read_exports(copy.block, copy.vaddr, self._functions, layout)
            if self._exports is not None:
                self._add("the exports", self._exports.vaddrs)
                self._add("the exports", dict(_bounds(self._exports)))
        types = find_btf(copy, arch.byte_order) if self.btf is None else None
        if types is not None:
            self.btf = types.btf
            self._add("BTF", {"__start_BTF": types.start, "__stop_BTF": types.end})

    def _read_texts(self, copy: Copy) -> None:
        kernel = self.kernel
        banner = find_banner(copy, kernel.location.banner)
        if banner is not None:
            self._add("text", {"linux_banner": banner})
            self.sizes["linux_banner"] = len(kernel.location.banner or "") + len("\n\0")
        build_id = kernel.location.build_id or parse(kernel.vmcoreinfo or b"").build_id
        notes = find_notes(copy, build_id, kernel.arch.byte_order)
        if notes is not None:
            self.about.update({"__start_notes": notes[0], "__stop_notes": notes[1]})

    def _told(self) -> dict[str, int]:
        """The symbols of VMCOREINFO that lie in the image."""
        said = parse(self.kernel.vmcoreinfo or b"").symbols
        start = self.kernel.start or 0
        inside = range(start, start + _MOST_IMAGE)
        found = {n: v for n, v in said.items() if v in inside and n not in _NO_SYMBOLS}
        table = found.pop(_TABLE, None)
        return found if table is None else {self.kernel.arch.top_tables[0]: table, **found}

    def _follow(self, structures: Structures) -> None:
        self._add("structures", own_space(structures))
        self._add("structures", image_bounds(structures))
        code = Code(self.kernel, self.symbols)
        for name, vaddr in used(structures, code, self.found):
            self._add("code that uses them", {name: vaddr})
        table = call_table(structures, code)
        if table is not None:
            self._add("code that uses them", {_CALLS: table[0]})
            self.sizes[_CALLS] = table[1]
        self._add("structures", clocks(structures))

    @cached_property
    def _places(self) -> Mapping[str, Sequence[int]]:
        places = defaultdict(list)
        table = self.symbols.table
        for name, vaddr in zip(table.names, table.vaddrs, strict=True):
            places[name].append(vaddr)
        return places

    def _functions(self, name: str) -> Sequence[int]:
        return self._places.get(name, ())

    def notes(self) -> Iterator[str]:
        """What there is, and where it is from."""
        counts = ", ".join(f"{count} from {of}" for of, count in self._counts.items() if count)
        yield (
            "data symbols: the kernel has functions alone in kallsyms (no CONFIG_KALLSYMS_ALL)"
            + (f"; {counts}" if counts else "")
        )


def _bounds(exports: Exports) -> Iterator[tuple[str, int]]:
    """The linker's names, where the tables are those two that kernels have since 5.12."""
    names = ("__ksymtab", "__ksymtab_gpl")
    if len(exports.tables) == len(names):
        for name, (start, end) in zip(names, exports.tables, strict=True):
            yield f"__start_{name}", start
            yield f"__stop_{name}", end


def _joined(table: Symbols, found: Mapping[str, int], runs: Sequence[Run]) -> Symbols:
    """Both, ascending; nm's letters of what was found are those of its memory's rights."""
    constant = [range(run.vaddr, run.end) for run in runs if not run.writable]
    rows = [*zip(table.vaddrs, table.kinds, table.names, strict=True)]
    for name, vaddr in found.items():
        kind = b"R" if any(vaddr in part for part in constant) else b"D"
        rows.append((vaddr, kind[0], name))
    rows.sort(key=lambda row: row[0])
    return Symbols(
        [name for _, _, name in rows],
        bytearray(kind for _, kind, _ in rows),
        array("Q", (vaddr for vaddr, _, _ in rows)),
        table.refused,
    )
