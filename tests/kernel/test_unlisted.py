# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbols that kallsyms does not list, held against the linker's own and against kallsyms."""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from crashext.dumps import open_dump
from crashext.kernel.kernel import Kernel
from crashext.kernel.symbols import KernelSymbols, find_symbols
from crashext.kernel.unlisted.blocks import Copy, read_only_blocks
from crashext.kernel.unlisted.btf_data import find_btf
from crashext.kernel.unlisted.complete import Completed, completed
from crashext.locate import finding
from crashext.symbols.kallsyms import Symbols
from crashext.vmcoreinfo import parse

pytestmark = pytest.mark.lab

DUMPS = Path(__file__).parents[2] / "lab" / "dumps"
#: Kernels whose kallsyms has functions alone: what a debugger needs first must come out.
FUNCTIONS_ALONE = {
    "arm64-uefi.kdump": ("modules", "tk_core", "nr_threads", "__per_cpu_end", "_end", "__init_end"),
    "arm64-4cpu.kdump": ("modules", "slab_caches", "sys_call_table", "clocksource_jiffies"),
    "arm64-panicked.kdump": ("modules", "tainted_mask", "__start_BTF"),
    "i386-pae.kdump": (),
    "ppc64le-radix.kdump": (),
    "s390x-direct.kdump": (),
}
#: Kernels whose kallsyms has all, taken from them and to be found again.
ALL = ("arm64-newer.kdump", "ovmf-kaslr.kdump", "newer-kernel.kdump")
ALWAYS = ("init_task", "linux_banner", "__per_cpu_offset", "init_uts_ns", "__start___ksymtab_gpl")
#: What cannot be told from its neighbour in any kernel seen, and must not be guessed at.
NEVER = ("log_buf", "reserved_pg_dir")


@contextmanager
def kernel_of(name: str) -> Iterator[Kernel]:
    dump = DUMPS / name
    if not dump.exists():
        pytest.skip(f"no lab dump {name} (make sample-dumps)")
    with open_dump(dump) as opened, finding(opened) as found:
        yield Kernel(found)


def linked_symbols(vmlinux: Path) -> Mapping[str, set[int]]:
    symbols: dict[str, set[int]] = defaultdict(set)
    with vmlinux.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        for symbol in table.iter_symbols():
            symbols[symbol.name].add(symbol["st_value"])
    return symbols


def functions_of(table: Symbols) -> Symbols:
    """What a kernel without CONFIG_KALLSYMS_ALL lists."""
    kept = [n for n, kind in enumerate(table.kinds) if chr(kind) in "tTwW"]
    return Symbols(
        [table.names[n] for n in kept],
        bytearray(table.kinds[n] for n in kept),
        array("Q", (table.vaddrs[n] for n in kept)),
        0,
    )


def missed(done: Completed, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if done.symbols.vaddr(name) is None]


@pytest.mark.parametrize("name", FUNCTIONS_ALONE)
def test_every_symbol_is_where_the_linker_put_it(name: str) -> None:
    with kernel_of(name) as kernel:
        listed = find_symbols(kernel)
        assert listed is not None
        if len(functions_of(listed.table)) < len(listed.table) // 2:
            pytest.skip(f"the kallsyms of {name} has all: Debian's 6.12 of arm64 does")
        done = completed(kernel, listed)
    truth = json.loads((DUMPS / name).with_suffix(".json").read_text())
    linked, moved = linked_symbols(DUMPS / truth["vmlinux"]), int(truth["kaslr_offset"] or "0", 16)
    table = done.symbols.table
    wrong = {
        symbol: hex(vaddr)
        for symbol, vaddr in zip(table.names, table.vaddrs, strict=True)
        if symbol in linked and not {vaddr, vaddr - moved} & linked[symbol]
    }
    assert wrong == {}
    assert [symbol for symbol in table.names if symbol not in linked] == []
    assert missed(done, (*ALWAYS, *FUNCTIONS_ALONE[name])) == []
    # Where the default kernel's kallsyms has data as well, they are listed, not guessed.
    assert not set(NEVER) & (set(table.names) - set(listed.table.names))
    assert len(table) > len(listed.table) + 500


@pytest.mark.parametrize("name", ALL)
def test_what_kallsyms_does_not_say_is_found_again(name: str) -> None:
    with kernel_of(name) as kernel:
        listed = find_symbols(kernel)
        assert listed is not None
        assert completed(kernel, listed).symbols is listed
        truth: dict[str, set[int]] = defaultdict(set)
        for symbol, vaddr in zip(listed.table.names, listed.table.vaddrs, strict=True):
            truth[symbol].add(vaddr)
        done = completed(kernel, KernelSymbols(functions_of(listed.table)))
    table = done.symbols.table
    pairs = list(zip(table.names, table.vaddrs, strict=True))
    assert [s for s, vaddr in pairs if s in truth and vaddr not in truth[s]] == []
    # Of its own tables kallsyms lists none, VMCOREINFO has them.
    assert [s for s, _ in pairs if s not in truth and not s.startswith("kallsyms_")] == []
    assert missed(done, ALWAYS) == []
    assert not done.symbols.whole


def test_nothing_is_made_up_of_an_image_without_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    with kernel_of("arm64-uefi.kdump") as kernel:
        listed = find_symbols(kernel)
        assert listed is not None
        assert kernel.vmcoreinfo is not None
        monkeypatch.setattr(kernel, "copy", lambda _vaddr, size: bytearray(size))
        monkeypatch.setattr(kernel, "read", lambda _vaddr, _size: None)
        done = completed(kernel, listed)
        told = parse(kernel.vmcoreinfo).symbols
    assert set(done.symbols.table.names) - set(listed.table.names) <= set(told)
    assert done.btf is None


def test_two_sets_of_types_are_none() -> None:
    with kernel_of("arm64-uefi.kdump") as kernel:
        copy = next(read_only_blocks(kernel))
        types = find_btf(copy, kernel.arch.byte_order)
        assert types is not None
        data = copy.block[types.start - copy.vaddr : types.end - copy.vaddr]
        assert find_btf(Copy(copy.vaddr, copy.block + data), kernel.arch.byte_order) is None
        assert find_btf(Copy(0, data[:-1]), kernel.arch.byte_order) is None
