# SPDX-License-Identifier: GPL-3.0-or-later
"""The log before Linux 3.5: text in a buffer that goes round (kernel/printk.c)."""

from __future__ import annotations

import re

from .fields import Fields, LogError
from .record import Log, Record
from .records import buffer

_PREFIX = re.compile(rb"<(\d{1,3})>")
_TIME = re.compile(rb"\[ *(\d{1,10})\.(\d{6})\] ?")


def read_plain(fields: Fields) -> Log:
    """The last ``logged_chars`` characters before ``log_end``.

    Raises:
        LogError: it can't be read.
    """
    vaddr, data = buffer(fields)
    end, kept = (_number(fields, name) for name in ("log_end", "logged_chars"))
    kept = min(kept, len(data))
    start = (end - kept) % len(data)
    text = (data + data)[start : start + kept]
    lines = text.rstrip(b"\0").split(b"\n")
    return Log(tuple(_record(line) for line in lines if line), "text", (), vaddr, len(data))


def _number(fields: Fields, name: str) -> int:
    vaddr = fields.symbol(name)
    if vaddr is None:
        raise LogError(f"{name} has no symbol")
    return fields.integer(vaddr, 4)


def _record(line: bytes) -> Record:
    level = facility = nanoseconds = None
    if prefix := _PREFIX.match(line):
        level, facility = int(prefix[1]) & 7, int(prefix[1]) >> 3
        line = line[prefix.end() :]
    if time := _TIME.match(line):
        nanoseconds = int(time[1]) * 10**9 + int(time[2]) * 1000
        line = line[time.end() :]
    return Record(line, nanoseconds, level=level, facility=facility)
