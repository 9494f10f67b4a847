# SPDX-License-Identifier: GPL-3.0-or-later
"""The debug information: types of BTF, and what has them: variables and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from .. import __version__
from ..symbols.btf import Btf, Func
from .clock import ticks_per_second
from .dwarf import DebugInfo, debug_info
from .elf.marks import is_mark
from .globals import globals_of
from .parts import Parts
from .shape import Function, Shape, Variable

PRODUCER = f"qemufix {__version__}: made from the memory of a guest, not by a compiler"
#: What crash takes HZ from (task_init, task.c): five seconds of ticks.
_CLOCK, _SECONDS = "write_expire", 5
#: Without an element of its flexible array crash before 8.0.4 takes a kernel for one that has
#: a single task (pid_namespace's tasks: refresh_xarray_task_table).
ONE_ELEMENT = frozenset({("pid", "numbers")})
#: nm's letters of functions.
_CODE = frozenset(b"tTwW")


class Debug(NamedTuple):
    """DWARF, and what else BTF tells of symbols.

    Attributes:
        info: the sections, and how much they tell.
        sizes: bytes of the functions and variables that have a type.
        hidden: per-CPU variables of one file only, which kallsyms does not tell from others.
    """

    info: DebugInfo
    sizes: Mapping[str, int]
    hidden: Set[str]


def debug_of(parts: Parts, btf: Btf, *, old_crash: bool) -> Debug:
    """The debug information of a kernel with BTF; what can't be had goes to ``parts.missing``.

    Raises:
        TypesError: its BTF is damaged.
    """
    btfs = [btf, *(module.btf for module in parts.modules)]
    variables = list({v.name: v for v in _variables(parts, btf)}.values())
    arch = parts.kernel.arch
    functions = list(_functions(parts, btf))
    info = debug_info(
        btfs,
        variables,
        functions,
        producer=PRODUCER,
        byte_order=arch.byte_order,
        word=arch.word,
        one_element=ONE_ELEMENT if old_crash else frozenset(),
    )
    sizes = {function.name: function.end - function.start for function in functions}
    for variable in variables:
        size = _size(btf, variable.shape, arch.word)
        if size:
            sizes[variable.name] = size
    return Debug(info, sizes, {var.name for var in btf.variables() if var.is_static})


def _size(btf: Btf, shape: Shape, word: int) -> int | None:
    """Bytes of a variable; None where BTF does not tell."""
    count = 1
    for wrap in shape.wraps:
        if wrap == "pointer":
            return count * word
        if wrap is None:
            return None
        if isinstance(wrap, int):
            count *= wrap
    size = btf.size(shape.type_id)
    return None if size is None else count * size


def _variables(parts: Parts, btf: Btf) -> Iterator[Variable]:
    """Those of the table, then those that BTF has, which are per-CPU, then the clock."""
    symbols, kernel = parts.symbols, parts.kernel
    known = globals_of(
        btf,
        _data(parts),
        arch=kernel.arch.name,
        release=kernel.location.release or "",
        read=kernel.read,
        readonly=_in_rodata(parts),
    )
    for variable in known:
        assert variable.vaddr is not None
        yield replace(variable, vaddr=parts.linked(variable.vaddr))
    for var in btf.variables():
        vaddr = symbols.vaddr(var.name)
        if vaddr is not None:
            yield Variable(var.name, Shape((), var.type_id), parts.linked(vaddr))
    rate, number = ticks_per_second(kernel, symbols, btf), btf.find("int")
    if rate is None or number is None:
        parts.missing.append("the frequency of the kernel's ticks: crash takes 1000")
    else:
        yield Variable(_CLOCK, Shape((), number), None, rate * _SECONDS)


def _data(parts: Parts) -> Iterator[tuple[str, int, int | None]]:
    """Symbols of what is no code, with the room that each has.

    Where .data holds a trampoline, as from Linux 7 on, all of its symbols are said to be code.
    """
    symbols = parts.symbols
    rooms, table, end = symbols.rooms, symbols.table, symbols.vaddr("_etext") or 0
    for name, kind, vaddr in zip(table.names, table.kinds, table.vaddrs, strict=True):
        if kind not in _CODE or vaddr >= end > 0:
            yield name, vaddr, rooms[vaddr] if symbols.whole else symbols.sizes.get(name)


def _in_rodata(parts: Parts) -> Callable[[int], bool]:
    """Whether an address lies in what is never written to, not even while the kernel starts."""
    vaddr = parts.symbols.vaddr
    start, end = vaddr("__start_rodata"), vaddr("__end_rodata")
    late, late_end = vaddr("__start_ro_after_init"), vaddr("__end_ro_after_init")

    def test(at: int) -> bool:
        inside = start is not None and end is not None and start <= at < end
        is_late = late is not None and late_end is not None and late <= at < late_end
        return inside and not is_late

    return test


def _functions(parts: Parts, btf: Btf) -> Iterator[Function]:
    """Those whose names are symbols of code, and of one function only.

    Before pahole 1.18 BTF has no functions, but crash finds its way by some: all of .text, then.
    """
    known, rooms, first = parts.symbols.unique, parts.symbols.rooms, parts.extent.start
    sizes = parts.sizes
    for name, type_id in list(btf.functions()) or _untyped(parts):
        vaddr = known.get(name, 0)
        if vaddr >= first:
            start = parts.linked(vaddr)
            yield Function(name, type_id, start, start + sizes.get(vaddr, rooms[vaddr]))


def _untyped(parts: Parts) -> Iterator[Func]:
    sizes, table = parts.sizes, parts.symbols.table
    for name, vaddr in zip(table.names, table.vaddrs, strict=True):
        if sizes.get(vaddr) and not is_mark(name):
            yield Func(name, 0)
