# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the page's table as compact JSON, one after the other: none is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from ...report.page.words import name, word
from ..places.find import is_url, local_path
from ..row import Row
from ..store import Store

_KNOWN = 5000  # texts of a column that are given numbers

#: Of these columns a text that came before is the number that it has there, from 0 on.
CODED = ("folder", "verdict", "failure", "release", "build_id", "arch", "format", "origin",
         "compression", "confidence", "hostname", "panic", "panic_function", "reason", "changes",
         "last_log", "boot_time", "repaired", "repaired_to", "repair_note")  # fmt: skip
_PLAIN = ("size", "ram_bytes", "uptime", "bytes_read", "requests", "seconds")
#: Shown and searched: the name, what a shell takes for it where that is another, whether it is
#: a local file, the moment by the guest's clock, and where its report is.
_MADE = ("name", "word", "local", "moment", "page", "report")
COLUMNS = (*CODED, *_PLAIN, *_MADE)

Reported = Callable[[Row], tuple[str, str]]
"""Of a dump the name that its report has or would have, and a relative URL where it is there."""


def rows(store: Store, reported: Reported) -> Iterator[str]:
    """The JSON in parts: ``{"columns", "coded", "known", "rows"}``."""
    head = {"columns": COLUMNS, "coded": len(CODED), "known": _KNOWN}
    yield json.dumps(head)[:-1] + ', "rows": [\n'
    coder = Coder(len(CODED))
    comma = ""
    for row in store.rows():
        # In a script element nothing but "<" could begin what ends it.
        text = json.dumps(coder(_values(row, reported)), separators=(",", ":"))
        yield comma + text.replace("<", "\\u003c")
        comma = ",\n"
    yield "\n]}"


class Coder:
    """Gives numbers to texts that come again; it keeps a bounded number of them."""

    def __init__(self, columns: int) -> None:
        self._numbers: list[dict[str, int]] = [{} for _ in range(columns)]

    def __call__(self, values: list[Any]) -> list[Any]:
        """A row whose first columns have numbers for texts that were there before."""
        for column, numbers in enumerate(self._numbers):
            text = values[column]
            if text in numbers:
                values[column] = numbers[text]
            elif text is not None and len(numbers) < _KNOWN:
                numbers[text] = len(numbers)
        return values


def _values(row: Row, reported: Reported) -> list[Any]:
    folder, last = place_of(row.url)
    local = not is_url(row.url)
    path = local_path(row.url) if local else row.url
    page, report = reported(row)
    quoted = word(path)
    made = {
        "folder": folder,
        "changes": "; ".join(row.changes) or None,
        "reason": row.reason or None,
        "repaired_to": row.repaired_to and name(row.repaired_to),
        "repair_note": row.repair_note or None,
        "name": last,
        "word": None if quoted == folder + last else quoted,
        "local": int(local),
        "moment": moment_of(row),
        "page": word(page),
        "report": report or None,
    }
    return [made[each] if each in made else getattr(row, each) for each in COLUMNS]


def place_of(url: str) -> tuple[str, str]:
    """The folder with its slash, and the name, as they are shown."""
    at = url.rstrip("/").rfind("/") + 1
    return name(url[:at]), name(url[at:])


def moment_of(row: Row) -> str | None:
    """When it happened by the guest's clock, as the store's views have it."""
    if row.boot_time is None or row.uptime is None:
        return None
    try:
        end = datetime.fromisoformat(row.boot_time) + timedelta(seconds=row.uptime)
    except (ValueError, OverflowError):
        return None
    return f"{end:%Y-%m-%d %H:%M:%S}"
