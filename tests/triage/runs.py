# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs over a folder, and what is the same of two of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crashext.triage.course import run
from crashext.triage.engines import Engine, one_by_one
from crashext.triage.limits import Limits
from crashext.triage.places.find import find
from crashext.triage.row import Row
from crashext.triage.store import Store


def seen(
    store: Store, folder: Path, engine: Engine = one_by_one, limits: Limits | None = None
) -> tuple[list[Row], int]:
    """The rows of a run, and how many of them were known."""
    rows, known = [], 0

    def tell(row: Row, was: bool) -> None:
        nonlocal known
        rows.append(row)
        known += was

    store.ask(find([str(folder)], pytest.fail))
    run(store, engine, limits or Limits(), tell)
    return rows, known


#: What depends on the place of a dump.
_COST = ("url", "identity", "bytes_read", "requests", "seconds")


def facts(row: Row) -> dict[str, object]:
    """What is the same wherever the dump lies."""
    return {name: value for name, value in row._asdict().items() if name not in _COST}


def lasting(rows: list[Row]) -> list[Row]:
    """What is the same each time; a search looks into pages that it draws by chance, too."""
    return sorted(row._replace(seconds=0.0, bytes_read=0, requests=0) for row in rows)
