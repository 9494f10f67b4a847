# SPDX-License-Identifier: GPL-3.0-or-later
"""The page and the reports that ``triage`` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...text import shell_word, size_text

if TYPE_CHECKING:
    from ...triage.reports import Reports
    from ...triage.store import Store


def check_page(output: str | None, reports: str | None, store: str | None, paths: bool) -> None:
    """Before anything is read: are the packages there, is there anything to be shown?"""
    if output is not None or reports is not None:
        import jinja2  # noqa: F401
    if output is not None and not Path(output).parent.is_dir():
        raise click.UsageError(f"{shell_word(output)}: there is no such folder")
    if output is not None and store is not None and _same(output, store):
        raise click.UsageError("the page can't be the store: give -o another name")
    if reports is not None and Path(reports).exists() and not Path(reports).is_dir():
        raise click.UsageError(f"--reports {shell_word(reports)}: that is no folder")
    if paths:
        return
    if store is None or output is None:
        raise click.UsageError("which dumps? give a PATH; or --store FILE -o PAGE to show a store")
    if not Path(store).is_file():
        raise click.UsageError(f"--store {shell_word(store)}: there is no such file")


def _same(first: str, second: str) -> bool:
    return Path(first).resolve() == Path(second).resolve()


def reports_in(folder: str | None) -> Reports | None:
    """The reports of ``--reports``."""
    from ...triage.reports import Reports

    return None if folder is None else Reports(folder)


def page_written(
    output: str | None, store: Store, store_path: str | None, reports: Reports | None
) -> Iterator[str]:
    """Write the page, if one is wanted; a line that says so."""
    if output is None:
        return
    from ...triage.page.course import write_page

    size = write_page(store, output, store_path or output, reports)
    yield f"wrote {shell_word(output)}: {size_text(size)}"
