# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair did, or would do: the JSON contract of ``qemufix repair``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..locate.result import Location
from ..text import printable
from .change import Change


@dataclass(frozen=True, slots=True)
class Repair:
    """The outcome for one dump.

    Attributes:
        path, output: the dump, and the file that is right now; None where none was written.
        in_place: whether the dump itself was to be changed.
        changed: whether any file was changed or written with changes.
        changes: what was, or in a dry run would be, made different.
        journal: what ``--undo`` needs; None where there is none.
        bytes_written: into ``output``.
        location: where the kernel is; None where nobody asked.
        reason: why nothing was done, or how.
    """

    path: str
    output: str | None = None
    in_place: bool = False
    changed: bool = False
    changes: tuple[Change, ...] = ()
    journal: str | None = None
    bytes_written: int = 0
    location: Location | None = None
    warnings: tuple[str, ...] = ()
    reason: str = ""

    @property
    def kernel(self) -> dict[str, Any] | None:
        """The kernel that the dump was repaired for, as ``physbase`` lists it."""
        return None if self.location is None else self.location.kernel

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""
        return {
            "schema": 1,
            "path": self.path,
            "output": self.output,
            "in_place": self.in_place,
            "changed": self.changed,
            "changes": [change.to_json() for change in self.changes],
            "journal": self.journal,
            "bytes_written": self.bytes_written,
            "kernel": self.kernel,
            "warnings": [printable(warning) for warning in self.warnings],
            "reason": printable(self.reason),
        }
