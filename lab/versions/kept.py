# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of each combination, in a file: a run that ended early goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from .session import Way


@dataclass(frozen=True, slots=True)
class Tried:
    """One combination, and how the session was put right; ``why`` where it was not."""

    crash: str
    python: str
    qemu: str
    kernel: str
    way: Way
    why: str = ""

    @property
    def worked(self) -> bool:
        """Whether the session was put right."""
        return self.way in ("in process", "restart")

    @property
    def key(self) -> tuple[str, ...]:
        """What it is replaced by when it is tried again: the same series of everything."""
        return self.crash, series(self.python), series(self.qemu), series(self.kernel)


def series(version: str) -> str:
    """The first two numbers of a version."""
    return ".".join(version.partition("-")[0].split(".")[:2])


@dataclass
class Kept:
    """All of them; ``absent`` says what could not be had when it was last tried."""

    tried: dict[tuple[str, ...], Tried] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The file's; nothing where there is none yet."""
        if not path.exists():
            return cls()
        kept = json.loads(path.read_text())
        tried = [Tried(**each) for each in kept["tried"]]
        return cls({each.key: each for each in tried}, kept["absent"])

    def add(self, tried: Iterable[Tried]) -> None:
        """Take these in place of what was tried before."""
        self.tried.update((each.key, each) for each in tried)

    def write(self, path: Path) -> None:
        """A line for each, so that what has changed can be seen."""
        lines = [json.dumps(asdict(self.tried[key])) for key in sorted(self.tried, key=_order)]
        absent = ",\n".join(map(json.dumps, self.absent))
        path.write_text('{"tried": [\n' + ",\n".join(lines) + f'\n], "absent": [\n{absent}\n]}}\n')


def _order(key: tuple[str, ...]) -> list[list[int]]:
    return [numbers(version) for version in key]


def numbers(version: str) -> list[int]:
    """A version's numbers, to sort by."""
    return [int(part) for part in version.split(".") if part.isdigit()]
