# SPDX-License-Identifier: GPL-3.0-or-later
"""What opening and searching a file may cost, whatever the file says: docs/limits.md.

Three things are limited: bytes of memory that tables, notes and windows take, bytes that
unpacking writes, and steps of work, of which each byte that a file has on disk allows one.
A step is about a microsecond of this program.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import OverBudget
from .text import size_text

MEMORY = 80 << 20
"""Bytes for what an open keeps and needs: the rest of the program takes up to 65 MB."""

UNPACKED = 32 << 30
"""Bytes that one file may take in the cache of unpacked files; a small file fewer."""

CACHE = 64 << 30
"""Bytes of all files in that cache; what was used longest ago makes room."""

CACHE_VARIABLE = "QEMUFIX_CACHE_SIZE"
"""The environment variable that says otherwise."""

DEEPEST = 4
"""Compressions and libvirt headers around a dump, one in the other; fewer than this."""

FREE_STEPS = 400_000
"""Steps that a file of any size allows."""

_SIZE = re.compile(r"(\d{1,18})\s*([kmgt]?)(i?b)?", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


@dataclass
class Budget:
    """The limits of one open. ``unpacked`` is None where the user named none.

    ``ask`` puts a question to a person and gives the answer; None where nobody is there.
    ``say`` is told what should be known, a line each; None where nobody listens.
    """

    memory: int = MEMORY
    unpacked: int | None = None
    ask: Callable[[str], bool] | None = None
    say: Callable[[str], None] | None = None
    _held: int = 0

    @property
    def room(self) -> int:
        """Bytes of memory that are left."""
        return max(self.memory - self._held, 0)

    def hold(self, size: int, what: str, path: str) -> None:
        """Set ``size`` bytes of memory aside for ``what``, for as long as the dump is open.

        Raises:
            OverBudget: there is not so much left.
        """
        self.check(size, what, path)
        self._held += size

    def check(self, size: int, what: str, path: str) -> None:
        """See that ``size`` bytes are there for ``what``, which takes them for a moment only.

        Raises:
            OverBudget: there are not.
        """
        if size > self.room:
            raise OverBudget(
                f"{what} needs more than the {size_text(self.memory)} of --max-memory allow",
                path=path,
            )


class Work:
    """The steps of one search, or of one part of opening; ``left`` of them are still allowed."""

    def __init__(self, what: str, path: str, stored: int) -> None:
        """Take the steps that ``stored`` bytes on disk allow."""
        self._what = what
        self._path = path
        self._steps = self.left = FREE_STEPS + stored

    def spend(self, steps: int) -> None:
        """Count steps as done.

        Raises:
            OverBudget: they were more than the file's bytes allow.
        """
        self.left -= steps
        if self.left < 0:
            raise OverBudget(
                f"{self._what} takes more than the {self._steps} steps of work "
                "that the file's size allows",
                path=self._path,
            )


def parse_size(text: str) -> int:
    """The bytes of ``512M``, ``2G`` or a plain number; units are powers of 1024.

    Raises:
        ValueError: it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size: say 512M, 2G or a number of bytes")
    return int(match[1]) << _UNITS[match[2].lower()]


def cache_limit() -> int:
    """Bytes that the cache may have.

    Raises:
        ValueError: the environment says something that is no size.
    """
    named = os.environ.get(CACHE_VARIABLE)
    try:
        return parse_size(named) if named else CACHE
    except ValueError as error:
        raise ValueError(f"{CACHE_VARIABLE}: {error}") from None
