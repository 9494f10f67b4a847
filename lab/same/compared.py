# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers on a debug vmlinux and on one that was made, side by side."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .differences import differ_in, usual

#: ``refused``: the tool says on both, in the same words, that it can't. ``listed``: what differs
#: is of the kinds that are listed. ``other``: it differs in something else.
Verdict = Literal["same", "refused", "listed", "other"]
_NO_ANSWER = "(no answer)\n"
_REFUSALS = re.compile(
    r"\A\s*(?:refused: |symbol not found|\w+: (?:invalid|cannot|gdb request failed|-\w option|no )"
    r"|\w+: .*(?:not supported|do(?:es)? not exist))"
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One command: its template, what it was for this guest, the two answers."""

    template: str
    command: str
    debug: str
    made: str
    kinds: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """In one word."""
        if self.debug == self.made:
            return "refused" if _REFUSALS.match(self.debug) else "same"
        return "listed" if self.kinds and differ_in(self.kinds, self.debug, self.made) else "other"

    def diff(self, most: int = 12) -> str:
        """The lines that differ, as a unified diff without context, so many at most."""
        lines = difflib.unified_diff(
            self.debug.splitlines(), self.made.splitlines(), "debug", "made", lineterm="", n=0
        )
        shown = [line[:200] for _, line in zip(range(most), lines, strict=False)]
        return "\n".join([f"--- {self.command}", *shown])


def compared(
    commands: Mapping[str, str],
    debug: Mapping[str, str],
    made: Mapping[str, str],
    listed: Mapping[str, Sequence[str]],
) -> list[Compared]:
    """Every command by its template; a lost answer is one of its own."""
    return [
        Compared(
            template,
            command,
            usual(debug.get(command, _NO_ANSWER)),
            usual(made.get(command, _NO_ANSWER)),
            tuple(listed.get(template, ())),
        )
        for template, command in commands.items()
    ]


def counts(found: Sequence[Compared]) -> dict[Verdict, int]:
    """How many there are of each verdict."""
    verdicts = [each.verdict for each in found]
    return {word: verdicts.count(word) for word in ("same", "refused", "listed", "other")}


def unlisted(found: Sequence[Compared]) -> Iterator[str]:
    """The diffs of what differs in something that is not listed."""
    yield from (each.diff() for each in found if each.verdict == "other")
