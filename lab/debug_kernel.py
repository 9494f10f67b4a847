# SPDX-License-Identifier: GPL-3.0-or-later
"""What a debug vmlinux says of its kernel's global variables, read through drgn, which is quick."""

from __future__ import annotations

import re
import struct
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from crashext.arch import ARCHITECTURES
from crashext.dumps.elf_types import machine_of
from crashext.rebuild.globals.expression import Expression
from crashext.rebuild.globals.measure import LENGTHS, Place
from crashext.symbols.btf import Btf, Kind
from crashext.symbols.vmlinux import Vmlinux

from .errors import LabError
from .global_types import NoExpression, expression_of, is_of_use

#: Symbols of the ELF file that kallsyms leaves out, as scripts/kallsyms.c and mksysmap do.
_NOT_LISTED = re.compile(
    r"\$|\.L|L0|__crc_|__kstrtab_|__kstrtabns_|__pi_\$|__kcfi_typeid_|__pi_\.L"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A variable: its type, and how many elements measuring finds in it, by the way of measuring.

    ``lengths`` is empty for what is no array.
    """

    expression: Expression
    lengths: dict[str, int] = field(default_factory=dict)


class DebugKernel:
    """The globals of one debug vmlinux.

    Raises:
        LabError: drgn takes no debug information from the file.
    """

    def __init__(self, path: Path) -> None:
        import drgn
        from elftools.elf.elffile import ELFFile

        self._program = drgn.Program()
        module = self._program.extra_module("vmlinux", create=True)
        module.try_file(path, force=True)
        if module.debug_file_status != drgn.ModuleFileStatus.HAVE:
            raise LabError(f"{path}: drgn finds no debug information")
        self._file = path.open("rb")
        self._elf = ELFFile(self._file)
        self._loads = [s.header for s in self._elf.iter_segments("PT_LOAD")]
        with Vmlinux(str(path)) as vmlinux:
            banner = (vmlinux.banner or b"").decode("ascii", "replace").split(" ")
        self.release = banner[2] if len(banner) > 2 else ""

    @property
    def arch(self) -> str:
        """crashext's name of its architecture."""
        from elftools.elf.enums import ENUM_E_MACHINE

        machine, bits = ENUM_E_MACHINE[self._elf.header.e_machine], self._elf.elfclass
        return next(each.name for each in ARCHITECTURES if machine_of(each.name, bits) == machine)

    def read(self, vaddr: int, size: int) -> bytes | None:
        """The bytes at a linked address, None where the file has not all of them."""
        for load in self._loads:
            into = vaddr - load.p_vaddr
            if into >= 0 and into + size <= load.p_filesz:
                self._file.seek(load.p_offset + into)
                return self._relocated(vaddr, bytearray(self._file.read(size)))
        return None

    def _relocated(self, vaddr: int, data: bytearray) -> bytes:
        """The bytes as a kernel that relocates itself leaves them: pointers are not zero."""
        places, values = self._relocations
        for at in range(bisect_left(places, vaddr), bisect_left(places, vaddr + len(data) - 7)):
            struct.pack_into("<Q", data, places[at] - vaddr, values[at])
        return bytes(data)

    @cached_property
    def _relocations(self) -> tuple[list[int], list[int]]:
        """Addresses, ascending, and values of the pointers in .rela.dyn."""
        data = self._section(".rela.dyn") if self._elf.little_endian else None
        entries = sorted(struct.iter_unpack("<QQQ", data or b""))
        return [at for at, _, _ in entries], [value for _, _, value in entries]

    @cached_property
    def btf(self) -> Btf | None:
        """Its BTF, which kernels of some architectures are built without."""
        data = self._section(".BTF")
        return None if data is None else Btf(data)

    def _section(self, name: str) -> bytes | None:
        found = self._elf.get_section_by_name(name)
        return None if found is None else bytes(found.data())

    @cached_property
    def symbols(self) -> list[tuple[str, int, int]]:
        """Name, address and room of each symbol that kallsyms lists, without those twice there."""
        listed = [
            (symbol.name, symbol.address)
            for symbol in self._program.symbols()
            if symbol.name and not _NOT_LISTED.match(symbol.name)
        ]
        start = self._address(listed, "_text", "_stext")
        end = self._address(listed, "_end")
        listed = [(name, at) for name, at in listed if start <= at <= end]
        often = Counter(name for name, _ in listed)
        addresses = sorted({at for _, at in listed})
        return [
            (name, at, addresses[bisect_right(addresses, at)] - at)
            for name, at in listed
            if often[name] == 1 and at < end
        ]

    @staticmethod
    def _address(listed: list[tuple[str, int]], *names: str) -> int:
        return next(at for wanted in names for name, at in listed if name == wanted)

    @cached_property
    def _at(self) -> dict[str, int]:
        return {name: at for name, at, _ in self.symbols}

    def readonly(self, vaddr: int) -> bool:
        """Whether it is never written to, as the kernel's own symbols say."""
        return self._within(vaddr, "__start_rodata", "__end_rodata") and not self._within(
            vaddr, "__start_ro_after_init", "__end_ro_after_init"
        )

    def kept(self, vaddr: int) -> bool:
        """Whether it is neither freed after boot nor a template."""
        gone = (("__init_begin", "__init_end"), ("__per_cpu_start", "__per_cpu_end"))
        return not any(self._within(vaddr, *ends) for ends in gone)

    def _within(self, vaddr: int, start: str, end: str) -> bool:
        return self._at.get(start, vaddr + 1) <= vaddr < self._at.get(end, 0)

    @cached_property
    def variables(self) -> dict[str, Seen]:
        """The variables that are of use, by name."""
        return dict(self._variables())

    def _variables(self) -> Iterator[tuple[str, Seen]]:
        for name, at, room in self.symbols:
            if not self.kept(at):
                continue
            try:
                value = self._program.variable(name)
                if value.address_ == at:
                    seen = self._seen(value.type_, Place(at, room, self.readonly(at)))
                    if is_of_use(name, seen.expression):
                        yield name, seen
            except (LookupError, NoExpression):
                continue

    def _seen(self, kind: Any, place: Place) -> Seen:
        import drgn

        lengths: dict[str, int] = {}
        if kind.kind == drgn.TypeKind.ARRAY and drgn.sizeof(kind.type):
            size = drgn.sizeof(kind.type)
            ways = set(LENGTHS) if place.readonly else {"[*]"}
            # Of other numbers than characters the first zero says nothing.
            ways -= set() if kind.type.type_name() in ("char", "const char") else {"[$]"}
            lengths = {prefix: LENGTHS[prefix](place, size, self.read) for prefix in ways}
        return Seen(expression_of(kind), lengths)

    def enumerators(self) -> dict[str, int]:
        """All enumerators that BTF has; none where there is no BTF."""
        if self.btf is None:
            return {}
        types = map(self.btf.type, self.btf.ids(Kind.ENUM64, Kind.ENUM))
        return {each.name: each.value for kind in types for each in kind.enumerators}

    def constants(self, names: Iterable[str]) -> dict[str, int]:
        """Those of some enumerators that DWARF has."""
        found: dict[str, int] = {}
        for name in names:
            try:
                found[name] = int(self._program.constant(name))
            except (LookupError, TypeError):
                continue
        return found
