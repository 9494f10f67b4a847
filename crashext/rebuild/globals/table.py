# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of the types of global variables, as it is shipped (docs/vmlinux.md: how it is made).

Compressed lines of fields that are separated by tabs. The first line names the kernels that it
was made from, ``ARCH SERIES`` each. Each other one has a variable's name and
the expression of its type; where those kernels differ, each expression is followed by the set of
those that have it, as a number in hex whose lowest bit stands for the first of them.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .expression import Expression, parse

FILE = Path(__file__).with_name("types.xz")
#: The set of all kernels.
_ALL = -1

Series = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """A kernel that the table was made from: crashext's name of its architecture, its series."""

    arch: str
    series: Series

    def __str__(self) -> str:
        return f"{self.arch} {self.series[0]}.{self.series[1]}"


def series_of(release: str) -> Series:
    """``(6, 1)`` of "6.1.0-56"; 0, 0 of what is no release."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})", release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class Table:
    """Expressions by variable; those of a name are parsed when they are asked for."""

    def __init__(self, text: str) -> None:
        head, *lines = text.splitlines()
        sources = (source.split(" ") for source in head.split("\t"))
        self.sources = [Source(arch, series_of(series)) for arch, series in sources]
        self._lines = dict(line.split("\t", 1) for line in lines)

    def __len__(self) -> int:
        """How many variables there are."""
        return len(self._lines)

    def __contains__(self, name: object) -> bool:
        return name in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def alternatives(self, name: str) -> list[tuple[Expression, int]]:
        """The expressions of a variable's type, each with the set of kernels that have it."""
        fields = self._lines.get(name, "").split("\t")
        if len(fields) == 1:
            return [(parsed(fields[0]), _ALL)] if fields[0] else []
        pairs = zip(fields[::2], fields[1::2], strict=True)
        return [(parsed(expression), int(kernels, 16)) for expression, kernels in pairs]

    def nearest(self, arch: str, series: Series) -> list[int]:
        """Sets of kernels in which to look for a variable, one after the other.

        Those of the architecture that are of the series, else of the next ones below and above
        it; likewise those of the other architectures; all.
        """
        own = [source for source in self.sources if source.arch == arch]
        others = [source for source in self.sources if source.arch != arch]
        sets = [self._set(_around(group, series)) for group in (own, others)]
        return [kernels for kernels in (*sets, _ALL) if kernels]

    def seen(self, arch: str, series: Series) -> int:
        """The set of the kernels of this architecture and series, empty if there is none."""
        return self._set(
            each for each in self.sources if (each.arch, each.series) == (arch, series)
        )

    def _set(self, sources: Iterable[Source]) -> int:
        chosen = set(sources)
        return sum(1 << bit for bit, each in enumerate(self.sources) if each in chosen)


def _around(sources: list[Source], series: Series) -> list[Source]:
    """The sources of the series, else of the next ones on both sides."""
    known = {source.series for source in sources}
    below = max((each for each in known if each <= series), default=None)
    above = min((each for each in known if each >= series), default=None)
    wanted = {series} if series in known else {below, above}
    return [source for source in sources if source.series in wanted]


@cache
def parsed(text: str) -> Expression:
    """An expression; thousands of variables share a few hundred."""
    return parse(text)


@cache
def table() -> Table:
    """The table that is shipped, read once."""
    return Table(lzma.decompress(FILE.read_bytes()).decode())
