# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of ``qemufix vmcoreinfo``: the verified text alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..kernel.kernel import Kernel
from ..text import printable
from .change import Change
from .vmcoreinfo import Origin, verified_text

if TYPE_CHECKING:
    from ..locate import Found
    from ..locate.result import Location


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """The text of the kernel at ``location``; None for what ``reason`` says."""

    location: Location
    text: bytes | None = None
    origin: Origin | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""

    @classmethod
    def of(cls, found: Found) -> TextAnswer:
        """The answer for what the search found."""
        location = found.location
        if found.image is None:
            return cls(location, reason=location.reason or "no kernel found")
        text = verified_text(Kernel(found))
        return cls(location, text.text, text.origin, text.changes)

    def lines(self) -> Iterator[str]:
        """The text, line by line, each made printable."""
        for line in (self.text or b"").splitlines():
            yield printable(line)

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""
        return {
            "schema": 1,
            "path": self.location.path,
            "vmcoreinfo": None if self.text is None else "".join(f"{x}\n" for x in self.lines()),
            "origin": self.origin,
            "changes": [change.to_json() for change in self.changes],
            "kernel": self.location.kernel,
            "warnings": list(self.location.warnings),
            "reason": printable(self.reason),
        }
