# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts in rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..text import hex64, shown

Field = tuple[str, str]


def number(value: int) -> str:
    """An address or offset; of a negative one also what it is."""
    return hex64(value) + (f" (-{-value:#x})" if value < 0 else "")


def warnings(texts: Iterable[str]) -> Iterator[str]:
    """A line for each."""
    for warning in texts:
        yield f"warning: {shown(warning)}"


def columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows of words, each column as wide as its widest word."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(w.ljust(n) for w, n in zip(row, widths, strict=True)).rstrip()


def aligned(fields: Iterable[Field]) -> Iterator[str]:
    """Labels and what they say, all of which begins in one column."""
    rows = list(fields)
    width = max((len(label) for label, _ in rows), default=0)
    for label, value in rows:
        yield f"  {label.ljust(width)}  {value}"
