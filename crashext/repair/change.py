# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that a repair makes different, in words."""

from __future__ import annotations

from dataclasses import dataclass

from ..text import printable


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed, from what, to what, and why; ``old`` is None for what was not there.

    ``layout`` is True for what only makes room for other changes: by itself it is no reason
    to touch a dump, and in one that is written anew there is no such thing.
    Texts may come from the dump: they are made printable here.
    """

    what: str
    old: str | None
    new: str
    why: str
    layout: bool = False

    def to_json(self) -> dict[str, str | None]:
        """An entry of ``changes`` in the JSON of ``qemufix repair``."""
        return {
            "what": printable(self.what),
            "from": None if self.old is None else printable(self.old),
            "to": printable(self.new),
            "why": self.why,
        }
