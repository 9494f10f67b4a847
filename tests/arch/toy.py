# SPDX-License-Identifier: GPL-3.0-or-later
"""A second architecture, as small as one can be, that keeps the descriptor honest.

It has no phys_base and no ways of its own. A table is one page of 16-byte entries
(virtual address with rights in its low bits, physical address), each for 2 MiB.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from crashext.arch.base import Memory, Paging, Run, Search, View
from crashext.arch.usual import Usual
from crashext.dumps.base import Note
from crashext.vmcoreinfo import Vmcoreinfo

MAP = 0xFFFF_8000_0800_0000
BLOCK = 2 << 20
VALID, WRITE, EXECUTE = 1, 2, 4
ENTRY = struct.Struct("<QQ")
SHAPE = Paging(1, 32)


@dataclass(frozen=True)
class ToyCpu:
    number: int
    pc: int
    table: int
    sp: int = 0
    known: bool = True
    paging: Paging | None = SHAPE
    mode: str = "kernel"

    @property
    def empty(self) -> bool:
        return not (self.pc or self.table)

    @property
    def registers(self) -> dict[str, int]:
        return {"pc": self.pc, "ttbr": self.table}

    def roots(self, ram_end: int) -> tuple[int, ...]:
        return (self.table,)


@dataclass(frozen=True)
class ToyTables:
    memory: Memory
    root: int

    def _entries(self) -> Iterator[tuple[int, int, int]]:
        for vaddr, paddr in ENTRY.iter_unpack(self.memory.get(self.root, 4096) or b""):
            if vaddr & VALID:
                yield vaddr & -BLOCK, paddr, vaddr & (BLOCK - 1)

    def translate(self, vaddr: int) -> int | None:
        starts = (p + vaddr - v for v, p, _ in self._entries() if v <= vaddr < v + BLOCK)
        return next(starts, None)

    def lost(self, vaddr: int) -> bool:
        return self.memory.get(self.root, 8) is None

    def image_runs(self, near: int | None) -> tuple[Run, ...]:
        return tuple(
            Run(v, p, BLOCK, bool(f & WRITE), bool(f & EXECUTE))
            for v, p, f in sorted(self._entries())
            if MAP <= v < MAP + (1 << 30)
        )


class Toy(Usual):
    name = "toy"
    dump_arches: tuple[str, ...] = ("toy",)
    image_align = BLOCK
    pagings: tuple[Paging, ...] = (SHAPE,)
    top_tables: tuple[str, ...] = ("swapper_pg_dir",)
    start_symbols: tuple[str, ...] = ("_text",)
    placements: tuple[str, ...] = ("kimage_voffset",)
    notes_name_tables = True
    crash_lacks = "crash has no option for a toy's memory layout"

    def cpus(self, notes: Sequence[Note]) -> tuple[ToyCpu, ...]:
        states = [struct.unpack_from("<QQ", n.desc) for n in notes if n.name == "TOY"]
        return tuple(ToyCpu(index, *state) for index, state in enumerate(states))

    def tables(self, memory: Memory, root: int, paging: Paging, ram_end: int) -> ToyTables:
        return ToyTables(memory, root)

    def is_image_vaddr(self, vaddr: int) -> bool:
        return MAP <= vaddr < MAP + (1 << 30)

    def is_voffset(self, voffset: int, ram_end: int) -> bool:
        return voffset % BLOCK == 0 and MAP - ram_end < voffset < MAP + (1 << 30)

    def is_kaslr_offset(self, value: int) -> bool:
        return value % BLOCK == 0 and 0 <= value < 1 << 30

    def said_voffset(self, info: Vmcoreinfo) -> int | None:
        return info.number("kimage_voffset")

    def said_text(self, info: Vmcoreinfo) -> int | None:
        stext = info.symbol("_stext")
        return None if stext is None else stext & -BLOCK

    def stored_voffset(self, memory: Memory, paddr: Callable[[str], int | None]) -> int | None:
        place = paddr("kimage_voffset")
        return None if place is None else memory.u64(place)

    def pagings_in_use(self, search: Search, image: View) -> tuple[Paging, ...]:
        return (SHAPE,)

    def direct_maps(self, search: Search, image: View) -> Iterator[int]:
        return iter(())

    def memory_maps(self, search: Search, image: View) -> Iterator[int]:
        return iter(())

    def crash_args(self, search: Search, image: View) -> tuple[str, ...]:
        return ("--machdep", f"kimage_voffset={image.voffset:#x}")
