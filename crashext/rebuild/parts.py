# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel gives of itself: symbols, types, where its sections lie; and what it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import RebuildError, TypesError
from ..kernel.kernel import Kernel
from ..kernel.symbols import KernelSymbols, find_symbols
from ..kernel.types import ModuleTypes, find_types, module_types
from ..kernel.unlisted.complete import completed
from ..symbols.btf import Btf
from .code import Code
from .layout import Extent, Section, as_linked, sections

#: Bytes that an image has at most, freed parts and all.
_MOST_IMAGE = 1 << 30


@dataclass(frozen=True)
class Parts:
    """A kernel, taken apart.

    Attributes:
        kernel: the kernel.
        symbols: all that its kallsyms has.
        extent: where its image runs.
        sections: those of the image, at linked addresses.
        btf: its types; None where it has none that can be used.
        modules: the types of its modules.
        missing: what could not be had, in words.
    """

    kernel: Kernel
    symbols: KernelSymbols
    extent: Extent
    sections: Sequence[Section]
    btf: Btf | None = None
    modules: Sequence[ModuleTypes] = ()
    missing: list[str] = field(default_factory=list)

    @cached_property
    def code(self) -> Code:
        """The bytes of its text."""
        text = next((part for part in self.sections if part.name == ".text"), None)
        return Code(text, self.kernel.copy)

    @cached_property
    def sizes(self) -> Mapping[int, int]:
        """Bytes of each function by its run-time address, without what only fills up."""
        return self.code.sizes(self.symbols.rooms, self.kernel.arch.padding)

    def linked(self, vaddr: int) -> int:
        """The linked address of a run-time one; offsets of per-CPU variables stay what they are."""
        return vaddr - self.extent.moved if vaddr >= self.extent.start else vaddr


def take_apart(kernel: Kernel) -> Parts:
    """Find all of it.

    Raises:
        RebuildError: the kernel has no symbols, or none are in the dump.
    """
    symbols = find_symbols(kernel)
    if symbols is None:
        raise RebuildError(
            "the kernel's own symbol table (kallsyms) is not in the dump, or damaged: "
            "there is nothing to make a vmlinux of"
        )
    symbols, about, found, notes = completed(kernel, symbols)
    extent = _extent(kernel, symbols, about)
    missing = list(notes)
    btf, modules = _types(kernel, symbols, found, missing)

    def bound(*names: str) -> int | None:
        known = symbols.vaddr(*names)  # 0 is where some kernels' per-CPU area starts
        return next((about[n] for n in names if n in about), None) if known is None else known

    table = symbols.table
    letters = zip(table.vaddrs, table.kinds, strict=True)
    placed = as_linked(sections(bound, extent), letters, extent.moved)
    return Parts(kernel, symbols, extent, placed, btf, modules, missing)


def _extent(kernel: Kernel, symbols: KernelSymbols, about: Mapping[str, int]) -> Extent:
    start = kernel.start
    assert start is not None
    start = min([start, *(v for v in (symbols.vaddr("_text"),) if v is not None)])
    end = symbols.vaddr("_end") or about.get("_end")
    if end is None:
        end = max((run.end for run in kernel.runs), default=start)
    if not 0 < end - start <= _MOST_IMAGE:
        raise RebuildError(f"the kernel's symbols say that its image has {end - start:#x} bytes")
    return Extent(start, end, kernel.location.kaslr_offset or 0)


def _types(
    kernel: Kernel, symbols: KernelSymbols, found: Btf | None, missing: list[str]
) -> tuple[Btf | None, list[ModuleTypes]]:
    try:
        btf = found or find_types(kernel, symbols)
    except TypesError as error:
        missing.append(f"types: {error}")
        return None, []
    if btf is None:
        missing.append("types: the kernel was built without BTF")
        return None, []
    return btf, list(module_types(kernel, symbols, btf))
