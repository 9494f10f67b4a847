# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps that belong together: of one incident, or of one guest at one moment."""

from __future__ import annotations

import json
from typing import NamedTuple

from .store import Store


class Incident(NamedTuple):
    """What happened to several guests: the same kernel stopped in the same function.

    ``first_seen`` and ``last_seen`` are by the guests' own clocks, in UTC.
    """

    kernel: str | None
    release: str | None
    panic_function: str | None
    panic: str
    dumps: int
    hosts: int
    first_seen: str | None
    last_seen: str | None


class Duplicates(NamedTuple):
    """Dumps of one guest at one moment: kernel, boot, uptime and last messages are the same."""

    build_id: str
    boot_time: str
    urls: tuple[str, ...]


def incidents(store: Store, most: int = -1) -> list[Incident]:
    """The panics of all dumps, the most frequent first; ``most`` of them, -1 for all."""
    found = store.query(f"SELECT * FROM incidents LIMIT {most:d}")
    return [Incident(*each) for each in found]  # type: ignore[arg-type]


def duplicates(store: Store, most: int = -1) -> list[Duplicates]:
    """The dumps that there are several of; ``most`` groups of them, -1 for all."""
    asked = f"SELECT build_id, boot_time, urls FROM duplicates ORDER BY urls LIMIT {most:d}"
    found = store.query(asked)
    return [
        Duplicates(str(build), str(boot), tuple(sorted(json.loads(str(urls)))))
        for build, boot, urls in found
    ]
