# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was read to the verdict: what led to a kernel, what bears it out, what it comes to."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import NamedTuple

from ...locate import Evidence, Found
from ...locate.meaning import meaning_of_check
from ...text import counted
from . import svg
from .words import short, shown

_WIDTH, _ROW, _BOX, _TOP = 1200.0, 46.0, 36.0, 34.0
_MOST = 14  # rows of a column
_SOURCES, _KERNEL, _CHECKS, _VERDICT = (1.0, 400.0), (480.0, 160.0), (720.0, 290.0), (1069.0, 130.0)
_VALUE = 300  # characters, in the table
_MARKS = {True: "held", False: "failed", None: "open"}


class Weighed(NamedTuple):
    """The evidence as it went into the verdict, each a name and what was seen."""

    sources: tuple[Evidence, ...]
    checks: tuple[Evidence, ...]
    others: tuple[Evidence, ...]


class Row(NamedTuple):
    """One line of the table: ``role`` is ``led there``, ``check`` or ``other``.

    ``meaning`` is what it says where it holds.
    """

    role: str
    name: str
    value: str
    mark: str
    meaning: str


def weighed(found: Found) -> Weighed:
    """The answer's evidence by what it was for; without an answer all of it is open."""
    every = found.location.evidence
    if found.image is None:
        return Weighed((), (), every)
    led = {(p.source, p.detail) for p in found.image.proposals}
    sources = [e for e in every if (e.name, e.value) in led and e.held]
    own = [*found.image.checks.values(), *found.image.lineage]
    checks = [e for e in own if e not in sources]
    others = [e for e in every if e not in sources and e not in checks]
    return Weighed(*(tuple(dict.fromkeys(part)) for part in (sources, checks, others)))


def rows(parts: Weighed, arch: str) -> list[Row]:
    """The same for a table, in whole sentences."""
    named = (("led there", parts.sources), ("check", parts.checks), ("other", parts.others))
    return [
        Row(role, shown(e.name), short(e.value, _VALUE), _MARKS[e.held],
            meaning_of_check(e.name, arch))
        for role, part in named
        for e in part
    ][:120]  # fmt: skip


def evidence_graph(found: Found, parts: Weighed) -> ET.Element:
    """The picture."""
    left = list(parts.sources or parts.others)[:_MOST]
    right = list(parts.checks)[:_MOST]
    height = _TOP + max(len(left), len(right), 2) * _ROW + 6
    where = found.location
    verdict = where.confidence if where.found else "no answer"
    about = (
        f"{counted(len(parts.sources), 'source')} led to the kernel, "
        f"{sum(e.held is True for e in parts.checks)} of {counted(len(parts.checks), 'check')} "
        f"held; verdict: {verdict}. The table of evidence has each in words."
    )
    root = svg.picture(_WIDTH, height, "evidence", "From evidence to verdict", about)
    middle = _TOP + (height - 6 - _TOP - _ROW + _BOX) / 2
    _heads(root, bool(parts.sources))
    kernel = _kernel(found)
    _edges(root, left, (_SOURCES[0] + _SOURCES[1], _KERNEL[0]), middle, inwards=True)
    _edges(root, right, (_KERNEL[0] + _KERNEL[1], _CHECKS[0]), middle, inwards=False)
    decisive = [e if e.held is not None else None for e in right]
    _edges(root, decisive, (_CHECKS[0] + _CHECKS[1], _VERDICT[0]), middle, inwards=True)
    for column, items in ((_SOURCES, left), (_CHECKS, right)):
        for index, each in enumerate(items):
            _box(
                root,
                column,
                _top(len(items), middle) + index * _ROW,
                (each.name, each.value),
                _MARKS[each.held],
            )
    _box(root, _KERNEL, middle - _BOX / 2, kernel, "kernel")
    _box(root, _VERDICT, middle - _BOX / 2, (verdict, where.reason), f"verdict {where.confidence}")
    return root


def _top(count: int, middle: float) -> float:
    """Where a column of so many rows begins."""
    return max(middle - (count * _ROW - _ROW + _BOX) / 2, _TOP)


def _kernel(found: Found) -> tuple[str, str]:
    if found.image is None:
        return "no kernel chosen", counted(len(found.images), "image") + " met"
    place = found.location.text_paddr
    return "kernel image", "at an unknown place" if place is None else f"at {place:#x}"


def _heads(root: ET.Element, found: bool) -> None:
    titles = ((_SOURCES, "Led there" if found else "Was seen"), (_KERNEL, "Candidate"),
              (_CHECKS, "Checks"), (_VERDICT, "Verdict"))  # fmt: skip
    for (x, _), words in titles:
        svg.text(root, x, 16, words, "head")


def _edges(
    root: ET.Element, items: Sequence[Evidence | None], between: tuple[float, float],
    middle: float, *, inwards: bool,
) -> None:  # fmt: skip
    """A curve for each row to the box in the middle, or from it."""
    start, end = between
    top = _top(len(items), middle)
    for index, each in enumerate(items):
        if each is None:
            continue
        y = top + index * _ROW + _BOX / 2
        first, last = (y, middle) if inwards else (middle, y)
        bend = svg.number((start + end) / 2)
        line = (
            f"M{svg.number(start)} {svg.number(first)}C{bend} {svg.number(first)} {bend} "
            f"{svg.number(last)} {svg.number(end)} {svg.number(last)}"
        )
        svg.path(root, line, f"edge {_MARKS[each.held]}")


def _box(
    root: ET.Element, column: tuple[float, float], y: float, words: Sequence[str], css: str
) -> None:
    x, width = column
    name, value = words
    tip = f"{name}: {short(value, _VALUE)}" if value else name
    svg.rect(root, (x, y, width, _BOX), f"box {css}", tip, rx="6")
    letters = int((width - 20) / 6.2)
    svg.text(root, x + 12, y + 15, short(name, letters), "title")
    svg.text(root, x + 12, y + 29, short(value, letters), "value")
