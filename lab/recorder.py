# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pages of a dump the search touches, found by watching it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from crashext.dumps.base import Dump
from crashext.errors import CrashExtError
from crashext.locate import locate

PAGE = 4096
# A search that goes from page to page like this is a sweep: what it finds is wanted, not
# every page that it passes.
_SWEEP = 16
_FINDS = re.compile(rb"Linux version \d|OSRELEASE=")
_MOST_FINDS = 48


class Recorder:
    """A dump that remembers, in order, the pages that were read of it."""

    def __init__(self, dump: Dump) -> None:
        self._dump = dump
        self.touched: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dump, name)

    def read(self, paddr: int, size: int) -> bytes:
        """Read the dump, remembering the pages."""
        self.touched.extend(range(paddr // PAGE * PAGE, paddr + size, PAGE))
        return self._dump.read(paddr, size)


def touched_pages(dump: Dump, vmlinuxes: Iterable[Path]) -> set[int]:
    """Addresses of the pages that the search needs, with and without each of its helps.

    The search runs with each vmlinux and with none, with the vCPUs' state and without.
    """
    helps: list[str | None] = [None, *(str(path) for path in vmlinuxes)]
    pages: set[int] = set()
    for vmlinux in helps:
        for use_cpu_state in (True, False):
            # Some pages are drawn by lot: those of one run, but not of the other.
            runs = [_touched(dump, vmlinux, use_cpu_state) for _ in range(2)]
            pages |= _wanted(dump, runs[0]) & _wanted(dump, runs[1])
    return pages


def _touched(dump: Dump, vmlinux: str | None, use_cpu_state: bool) -> list[int]:
    """What one search reads, in order."""
    recorder = Recorder(dump)
    locate(
        cast(Dump, recorder),
        vmlinux=vmlinux,
        use_cpu_state=use_cpu_state,
        everything=not use_cpu_state,
    )
    return recorder.touched


def _wanted(dump: Dump, touched: list[int]) -> set[int]:
    """All pages that were touched, of sweeps only the finds."""
    pages: set[int] = set()
    finds = 0
    for run in _runs(touched):
        if len(run) < _SWEEP:
            pages |= set(run)
            continue
        for at, paddr in enumerate(run):
            if finds < _MOST_FINDS and _FINDS.search(read_page(dump, paddr) or b""):
                finds += 1
                pages |= {paddr, *(p for p in run[at : at + 2] if p == paddr + PAGE)}
    return pages


def _runs(touched: list[int]) -> Iterator[list[int]]:
    """The list cut where the step from one page to the next but one changes.

    The next but one, because a text across a page's end takes two reads at each place.
    """
    run: list[int] = []
    for paddr in touched:
        if len(run) > 2 and paddr - run[-2] != run[2] - run[0]:
            yield run
            run = []
        run.append(paddr)
    yield run


def read_page(dump: Dump, paddr: int) -> bytes | None:
    """The page at an address, None where the dump has none."""
    try:
        return dump.read(paddr, PAGE)
    except CrashExtError:
        return None
