# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sections an image has: between the symbols that its linker script puts around them.

Sources: include/asm-generic/vmlinux.lds.h and each architecture's vmlinux.lds.S.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

Kind = Literal["text", "rodata", "data", "freed text", "freed", "note", "bss", "gap"]

#: Sections with bytes worth keeping. Memory of the freed ones is others' by now.
_KEPT = frozenset(("text", "rodata", "data", "note"))


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the image at linked addresses, ``end`` behind it.

    ``run`` is where it runs; None for one that has no memory of its own.
    """

    name: str
    kind: Kind
    start: int
    end: int
    run: int | None

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.end - self.start

    @property
    def is_kept(self) -> bool:
        """Whether its memory is still what it was, and tools may want it."""
        return self.run is not None and self.kind in _KEPT


class _Bounds(NamedTuple):
    name: str
    kind: Kind
    starts: tuple[str, ...]
    ends: tuple[str, ...]


def _named(name: str, kind: Kind, tables: Sequence[str]) -> Iterator[_Bounds]:
    for table in tables:
        yield _Bounds(name or table, kind, (f"__start_{table}",), (f"__stop_{table}",))


_SECTIONS = (
    _Bounds(".head.text", "text", ("_text",), ("_stext",)),
    _Bounds(".text", "text", ("_stext", "_text"), ("_etext",)),
    _Bounds(".rodata", "rodata", ("__start_rodata",), ("__end_rodata",)),
    _Bounds(".notes", "note", ("__start_notes",), ("__stop_notes",)),
    _Bounds(".BTF", "rodata", ("__start_BTF",), ("__stop_BTF",)),
    *_named("", "rodata", ("__ksymtab", "__ksymtab_gpl", "__param", "__modver", "__ex_table")),
    *_named("", "data", ("__bug_table",)),
    *_named(".orc_unwind_ip", "rodata", ("orc_unwind_ip",)),
    *_named(".orc_unwind", "rodata", ("orc_unwind",)),
    *_named(".orc_header", "rodata", ("orc_header",)),
    _Bounds(".data", "data", ("_sdata",), ("_edata",)),
    _Bounds(".init.text", "freed text", ("_sinittext",), ("_einittext",)),
    _Bounds(".init.data", "freed", ("__init_begin",), ("__init_end",)),
    _Bounds(".data..percpu", "freed", ("__per_cpu_start",), ("__per_cpu_end",)),
    _Bounds(".data_nosave", "data", ("__nosave_begin",), ("__nosave_end",)),
    _Bounds(".bss", "bss", ("__bss_start",), ("__bss_stop",)),
    _Bounds(".brk", "bss", ("__brk_base",), ("__brk_limit",)),
)
PER_CPU = ".data..percpu"
#: Bytes of one CPU's area. A guest says how many there are; the file gets a hole of them.
_MOST_PER_CPU = 64 << 20
_VOTES = {ord("d"): 1, ord("D"): 1, ord("r"): -1, ord("R"): -1}


class Extent(NamedTuple):
    """Where an image runs, and how far KASLR moved it from where it was linked."""

    start: int
    end: int
    moved: int


def sections(vaddr: Callable[..., int | None], extent: Extent) -> tuple[Section, ...]:
    """The sections of an image, ascending and side by side; a per-CPU area at 0 comes first.

    ``vaddr`` tells run-time addresses of symbols.
    """
    inside, outside = [], []
    for bounds in _SECTIONS:
        start, end = vaddr(*bounds.starts), vaddr(*bounds.ends)
        if start is None or end is None or start >= end:
            continue
        if extent.start <= start and end <= extent.end:
            inside.append(_section(bounds.name, bounds.kind, start, end, extent.moved))
        elif bounds.name == PER_CPU and end <= extent.start and end - start <= _MOST_PER_CPU:
            # Linked at 0, as some kernels have it: addresses in it are offsets.
            outside.append(Section(bounds.name, "data", start, end, None))
    return (*outside, *_side_by_side(inside, extent))


def _section(name: str, kind: Kind, start: int, end: int, moved: int) -> Section:
    return Section(name, kind, start - moved, end - moved, start)


def _side_by_side(found: Sequence[Section], extent: Extent) -> Iterator[Section]:
    """Cut what overlaps: the smaller one is a part of the larger; gaps become sections, too."""
    first, last = extent.start - extent.moved, extent.end - extent.moved
    whole = Section(".gap", "gap", first, last, None)
    inner_first = [*sorted(found, key=lambda s: s.size), whole]
    cuts = sorted({first, last, *(s.start for s in found), *(s.end for s in found)})
    parts: list[Section] = []
    for start, end in pairwise(cuts):
        owner = next(s for s in inner_first if s.start <= start and end <= s.end)
        run = None if owner.run is None else start + extent.moved
        if parts and parts[-1].name == owner.name:
            parts[-1] = replace(parts[-1], end=end)
        else:
            parts.append(Section(owner.name, owner.kind, start, end, run))
    seen: dict[str, int] = {}
    for part in parts:
        number = seen[part.name] = seen.get(part.name, -1) + 1
        # Tools look for the first of a name.
        yield replace(part, name=f"{part.name}.{number}") if number else part


def as_linked(
    parts: Sequence[Section], symbols: Iterable[tuple[int, int]], moved: int
) -> Sequence[Section]:
    """The same, .rodata writable where nm said so of most symbols in it, as kernels are linked.

    ``symbols`` are run-time addresses and nm's letters, which kallsyms has from the linked file.
    """
    inside = [part for part in parts if part.kind == "rodata"]
    starts = [part.start for part in inside]
    votes = dict.fromkeys(starts, 0)
    for vaddr, letter in symbols:
        vote = _VOTES.get(letter)
        if vote:
            at = bisect_right(starts, vaddr - moved) - 1
            if at >= 0 and vaddr - moved < inside[at].end:
                votes[starts[at]] += vote
    return [
        replace(p, kind="data") if votes.get(p.start, 0) > 0 and p in inside else p for p in parts
    ]
