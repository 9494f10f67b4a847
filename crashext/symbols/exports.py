# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel exports to modules, by name: its tables ``__ksymtab`` and ``__ksymtab_gpl``.

Data are among it, of which kallsyms has none without CONFIG_KALLSYMS_ALL. Each record is a
``struct kernel_symbol`` (include/linux/export.h, export-internal.h): the symbol's value, its
name and, since 5.4, its namespace; 32-bit distances from their own places where the architecture
has PREL32 relocations, else pointers. The tables are side by side, each sorted by names
(scripts/module-common.lds.S, find_exported_symbol_in_section() in kernel/module).

Nothing says where they are. They are found by a record of a name that every kernel exports, go on
as far as records are sound, and are believed since the functions among them are where kallsyms
has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from operator import eq
from typing import NamedTuple

from .kallsyms.layout import Block, Layout
from .kallsyms.tables import MOST_NAME

#: Functions that every kernel exports, with names that are the end of no other's.
_ANCHORS = (
    "wait_for_completion_interruptible_timeout",
    "schedule_timeout_uninterruptible",
    "unregister_chrdev_region",
)
_MOST_PLACES = 4  # at which one of these names stands, and which may be a record of it
#: Bytes from a record to its name, which lies behind: tables and names have less than 1 MiB.
_REACH = 2 << 20
_MOST = 1 << 16  # records before a place, and behind; no kernel has more
_MOST_READ = 1 << 19  # records, whatever a guest makes look like some
_FEWEST_AGREE, _MOST_ASTRAY = 64, 50  # functions, and one in so many
_NAME = re.compile(rb"[!-~]{1,511}\0")

Functions = Callable[[str], Sequence[int]]


class Exports(NamedTuple):
    """What is exported: addresses by name, and where each table starts and ends."""

    vaddrs: dict[str, int]
    tables: list[tuple[int, int]]


class _Form(NamedTuple):
    """How a record is stored: ``fields`` numbers of ``unit`` bytes, or distances."""

    relative: bool
    fields: int
    unit: int

    @property
    def size(self) -> int:
        return self.fields * self.unit


class _Record(NamedTuple):
    at: int
    name: bytes
    value: int


def read_exports(block: Block, vaddr: int, functions: Functions, layout: Layout) -> Exports | None:
    """The tables in a copy of memory from ``vaddr`` on; None where there are none to be believed.

    ``functions`` tells the addresses that kallsyms has for a name, in whatever number. An export
    that kallsyms has elsewhere is left out.
    """
    left = _MOST_READ
    for name_at in _places(block):
        for form in _forms(layout):
            reader = _Reader(block, vaddr, layout, form)
            for record_at in reader.records_of(name_at)[:_MOST_PLACES]:
                records = reader.around(record_at)
                left -= len(records)
                if left < 0:
                    return None
                found = _believed(records, functions)
                if found is not None:
                    return Exports(found, list(_tables(records, vaddr, form.size)))
    return None


def _forms(layout: Layout) -> Iterator[_Form]:
    """With a namespace first: since 5.4."""
    for fields in (3, 2):
        yield _Form(True, fields, 4)
        yield _Form(False, fields, layout.word)


def _places(block: Block) -> Iterator[int]:
    """Where names of the anchors stand."""
    for anchor in _ANCHORS:
        at = -1
        for _ in range(_MOST_PLACES):
            at = block.find(anchor.encode() + b"\0", at + 1)
            if at < 0:
                break
            yield at


class _Reader:
    """Records of one form in a block."""

    def __init__(self, block: Block, vaddr: int, layout: Layout, form: _Form) -> None:
        self._block, self._vaddr, self._layout, self._form = block, vaddr, layout, form
        self._mask = (1 << layout.word * 8) - 1

    def records_of(self, name_at: int) -> list[int]:
        """Where records may start whose name stands at ``name_at``."""
        unit = self._form.unit
        first = max(name_at - _REACH, 0) + unit - 1 & -unit
        raw = self._block[first : name_at & -unit]
        if self._form.relative:
            numbers = self._layout.numbers("i", raw)
            distances = range(name_at - first, name_at - first - 4 * len(numbers), -4)
            hits = [n for n, far in enumerate(map(eq, numbers, distances)) if far]
        else:
            wanted = self._vaddr + name_at
            hits = [n for n, value in enumerate(self._layout.words(raw)) if value == wanted]
        return [first + (n - 1) * unit for n in hits if first + (n - 1) * unit >= 0]

    def around(self, at: int) -> list[_Record]:
        """The records side by side in which one starts at ``at``."""
        size = self._form.size
        before = list(self._run(at - size, -size))
        return [*reversed(before), *self._run(at, size)]

    def _run(self, at: int, step: int) -> Iterator[_Record]:
        for _ in range(_MOST):
            record = self._record(at)
            if record is None:
                return
            yield record
            at += step

    def _record(self, at: int) -> _Record | None:
        form, block = self._form, self._block
        if at < 0 or at + form.size > len(block):
            return None
        raw = block[at : at + form.size]
        if form.relative:
            places = range(at + self._vaddr, at + self._vaddr + form.size, 4)
            values = [
                p + v & self._mask
                for p, v in zip(places, self._layout.numbers("i", raw), strict=True)
            ]
        else:
            values = list(self._layout.words(raw))
        name = self._name(values[1] - self._vaddr)
        if name is None or (form.fields == 3 and not self._is_namespace(values[2])):
            return None
        return _Record(at, name, values[0])

    def _name(self, at: int) -> bytes | None:
        if not 0 <= at < len(self._block):
            return None
        found = _NAME.match(self._block, at, at + MOST_NAME)
        return None if found is None else found[0][:-1]

    def _is_namespace(self, vaddr: int) -> bool:
        """Whether that is text of the kernel; of most it is empty, with pointers there is none."""
        at = vaddr - self._vaddr
        if not self._form.relative and not vaddr:
            return True
        return 0 <= at < len(self._block) and (not self._block[at] or self._name(at) is not None)


def _believed(records: Sequence[_Record], functions: Functions) -> dict[str, int] | None:
    """Addresses by name, where enough of the functions are where kallsyms has them."""
    found: dict[str, int] = {}
    agree = astray = 0
    for record in records:
        name = record.name.decode("ascii")
        known = functions(name)
        if known and record.value not in known:
            astray += 1
            continue
        agree += bool(known)
        found.setdefault(name, record.value)
    return found if agree >= max(_FEWEST_AGREE, astray * _MOST_ASTRAY) else None


def _tables(records: Sequence[_Record], vaddr: int, size: int) -> Iterator[tuple[int, int]]:
    """A table ends where names do not ascend."""
    starts = [records[0].at, *(b.at for a, b in pairwise(records) if a.name >= b.name)]
    for start, end in pairwise([*starts, records[-1].at + size]):
        yield vaddr + start, vaddr + end
