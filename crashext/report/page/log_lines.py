# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's log for the page: its last lines, as many as there is room for."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from ...kernel.log import LEVELS, Log, Record
from .words import short

_ROOM = 380_000  # bytes of the page
_OVERHEAD = 64  # of a line's markup
_LINE = 1000  # characters


class Line(NamedTuple):
    """One line; ``time`` is empty on those that continue a message."""

    time: str
    level: int | None
    name: str
    text: str


class LogPart(NamedTuple):
    """The last ``lines`` of a log, and how many messages before them found no room."""

    lines: tuple[Line, ...]
    left_out: int
    messages: int


def log_part(log: Log) -> LogPart:
    """From the newest message backwards until the room is used up."""
    kept: list[Line] = []
    room, taken = _ROOM, 0
    for record in reversed(log.records):
        lines = _lines(record)
        room -= sum(len(escape(line.text)) + len(line.time) + _OVERHEAD for line in lines)
        if room < 0:
            break
        taken += 1
        kept += reversed(lines)
    return LogPart(tuple(reversed(kept)), len(log.records) - taken, len(log.records))


def _lines(record: Record) -> list[Line]:
    level = record.level
    name = LEVELS[level] if level is not None and 0 <= level < len(LEVELS) else ""
    parts = record.text[: _LINE * 64].split(b"\n")
    return [
        Line("" if n else record.time, level, name, short(t, _LINE)) for n, t in enumerate(parts)
    ]
