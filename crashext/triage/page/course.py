# SPDX-License-Identifier: GPL-3.0-or-later
"""From a store to a page, part by part: what it takes does not grow with the number of dumps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from ... import __version__
from ...report.page.output import write
from ...report.page.render import FILES as SHARED
from ...report.page.render import stream
from ...report.page.words import word
from ..reports import Reports
from ..store import Store
from .model import LABELS, model_of
from .table import rows

_FILES = Path(__file__).parent / "files"
_STYLES = ("fleet.css", "print.css")
_SCRIPTS = ("page.js", "dumps.js", "table.js", "dump.js")
_PART = 1 << 16  # characters that are written at a time


def write_page(store: Store, path: str, like: str, reports: Reports | None) -> int:
    """Write the page of all that the store has; returns its size.

    Who may read the file ``like`` may read it.

    Raises:
        OSError: the system can't.
    """
    return write(path, (part.encode() for part in _larger(page(store, path, reports))), like)


def page(store: Store, path: str, reports: Reports | None) -> Iterator[str]:
    """The page that lies at ``path``, in small parts."""
    reported = (reports or Reports("")).seen_from(Path(path).parent)
    model = {
        **model_of(store),
        "version": __version__,
        "labels": LABELS,
        "data": map(Markup, rows(store, reported)),
        "reports": word(os.path.abspath(reports.folder) if reports else "reports"),  # noqa: PTH100
    }
    return stream("fleet.html", _STYLES, _SCRIPTS, model, (_FILES, SHARED))


def _larger(parts: Iterator[str]) -> Iterator[str]:
    kept: list[str] = []
    size = 0
    for part in parts:
        kept.append(part)
        size += len(part)
        if size >= _PART:
            yield "".join(kept)
            kept, size = [], 0
    yield "".join(kept)
