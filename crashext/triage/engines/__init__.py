# SPDX-License-Identifier: GPL-3.0-or-later
"""What maps the work over many dumps; a module each, and each a few lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..row import Row

Work = Callable[[str], Row]
"""From a URL to its row; it can be sent to another process."""

Engine = Callable[[Work, Iterable[str]], Iterator[Row]]
"""Rows as they are ready, in any order; URLs are drawn as they are needed."""


def one_by_one(work: Work, urls: Iterable[str]) -> Iterator[Row]:
    """Without any engine, in order."""
    return map(work, urls)
