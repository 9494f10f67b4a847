# SPDX-License-Identifier: GPL-3.0-or-later
"""Using a dump as its readers do: errors of ours are right, any other is a finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from crashext import CrashExtError, open_dump
from crashext.arch import notes_of

PAGES = 64


def use(paths: Sequence[Path], *, search: bool) -> None:
    """Open the files as one dump, read here and there, and perhaps search it."""
    with suppress(CrashExtError), open_dump(*paths) as dump:
        for ram in dump.ram[:PAGES]:
            _read(dump.read, ram.start)
            _read(dump.read, ram.end - 1)
        for _ in islice(dump.page_heads(32), PAGES):
            pass
        notes_of(dump)
        if search:
            assert all(start < end for start, end in dump.stored)
            for _ in dump.pages_with([(0, b"OSRELEASE="), (24, b"OSRELEASE=")]):
                pass


def _read(read: Callable[[int, int], bytes], paddr: int) -> None:
    with suppress(CrashExtError):
        assert len(read(paddr, 4097)) == 4097
