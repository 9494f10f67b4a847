# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes crashext/rebuild/globals/types.xz of the debug kernels of several series.

``python3 -m lab globals VMLINUX...``; docs/vmlinux.md says of which kernels it was made, and how
to get them.
"""

from __future__ import annotations

import lzma
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crashext.rebuild.globals.expression import Expression, Length
from crashext.rebuild.globals.table import Source, series_of

from .debug_kernel import DebugKernel, Seen
from .global_lengths import Lengths

#: Variables that are an assembler's or a linker script's, which no debug information has, and of
#: types without a name.
BY_HAND = {"jiffies": "volatile unsigned long", "tk_core": "struct {seq,timekeeper}"}


@dataclass(frozen=True, slots=True)
class Globals:
    """What one debug kernel has: its variables by name, the values of its enumerators."""

    source: Source
    variables: Mapping[str, Seen]
    enumerators: Mapping[str, int]


def write_table(files: Iterable[Path], path: Path, say: Callable[[str], None]) -> None:
    """Make the table of some debug kernels.

    Raises:
        LabError: a file has no debug information.
    """
    opened: list[DebugKernel] = []
    for file in files:
        opened.append(kernel := DebugKernel(file))
        say(f"{kernel.release} ({kernel.arch}): {len(kernel.symbols)} symbols")
    text = merge(collect(opened))
    data = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    path.write_bytes(data)
    say(f"{path.name}: {text.count(chr(10)) - 1} variables, {len(data)} bytes")


def collect(kernels: Sequence[DebugKernel]) -> list[Globals]:
    """What the table is made of, by architecture and series.

    A kernel without BTF is asked for the enumerators that others have.
    """
    ordered = sorted(kernels, key=lambda kernel: (kernel.arch, series_of(kernel.release)))
    names = {name for kernel in ordered for name in kernel.enumerators()}
    return [
        Globals(
            Source(kernel.arch, series_of(kernel.release)),
            kernel.variables,
            kernel.enumerators() or kernel.constants(sorted(names)),
        )
        for kernel in ordered
    ]


def merge(kernels: Sequence[Globals]) -> str:
    """The table of some kernels, as :mod:`crashext.rebuild.globals.table` reads it."""
    lengths = Lengths([kernel.enumerators for kernel in kernels])
    lines = ["\t".join(str(kernel.source) for kernel in kernels)]
    for name in sorted({name for kernel in kernels for name in kernel.variables} | BY_HAND.keys()):
        seen = {
            number: kernel.variables[name]
            for number, kernel in enumerate(kernels)
            if name in kernel.variables
        }
        found = {BY_HAND[name]: 0} if name in BY_HAND else alternatives(name, seen, lengths)
        fields = [name]
        for expression, having in found.items():
            fields += [expression] if len(found) == 1 else [expression, f"{having:x}"]
        lines.append("\t".join(fields))
    return "\n".join(lines) + "\n"


def alternatives(name: str, seen: Mapping[int, Seen], lengths: Lengths) -> dict[str, int]:
    """The expressions of a variable's type, each with the set of kernels that have it."""
    alike: dict[Expression, dict[int, Seen]] = defaultdict(dict)
    for number, each in seen.items():
        alike[_without_lengths(each.expression)][number] = each
    found: dict[str, int] = defaultdict(int)
    for group in alike.values():
        for number, expression in _with_lengths(name, group, lengths).items():
            found[str(expression)] |= 1 << number
    return found


def _with_lengths(name: str, group: Mapping[int, Seen], lengths: Lengths) -> dict[int, Expression]:
    """Each kernel's expression, lengths written so that they hold for as many as possible."""
    made = {number: seen.expression for number, seen in group.items()}
    first = next(iter(made.values()))
    for at, prefix in enumerate(first.prefixes):
        if not isinstance(prefix, Length):
            continue
        numbers = {number: _number(each, at) for number, each in made.items()}
        measured = {n: seen.lengths if at == 0 else {} for n, seen in group.items()}
        chosen = lengths.choose(f"{name}_{first.name}", numbers, measured)
        made = {number: _at(each, at, chosen[number]) for number, each in made.items()}
    return made


def _number(expression: Expression, at: int) -> int | None:
    length = expression.prefixes[at]
    return length.number if isinstance(length, Length) and not length.how else None


def _without_lengths(expression: Expression) -> Expression:
    prefixes = (Length() if isinstance(p, Length) else p for p in expression.prefixes)
    return replace(expression, prefixes=tuple(prefixes))


def _at(expression: Expression, at: int, length: Length) -> Expression:
    prefixes = expression.prefixes
    return replace(expression, prefixes=(*prefixes[:at], length, *prefixes[at + 1 :]))
