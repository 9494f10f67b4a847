# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command works with: where it runs, where it prints, how it opens a dump."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TextIO

import click

from ..text import shown

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from ..session.host import Host
    from .progress import Progress


@dataclass(frozen=True)
class Job:
    """One command line's surroundings: the crash session, if any, and the output."""

    session: Host | None
    out: TextIO
    err: TextIO
    opening: dict[str, Any] = field(default_factory=dict)  # options of open_dump

    def say(self, lines: Iterable[str]) -> None:
        """Print lines for people."""
        from .paint import painter

        paint = painter(self.out)
        for line in lines:
            self.out.write(paint(line) + "\n")

    def complain(self, text: str) -> None:
        """Print a line about what went wrong, beside the output."""
        print(f"qemufix: {shown(text)}", file=self.err, flush=True)

    def aside(self) -> Job:
        """The same with its output beside stdout, which carries a file."""
        return replace(self, out=self.err)

    def answer(self, answer: Any, text: Iterable[str], *, as_json: bool) -> None:
        """Print an answer: its JSON for machines, or its text."""
        if as_json:
            self.out.write(json.dumps(answer.to_json(), indent=2) + "\n")
        else:
            self.say(text)

    def open_dump(self, paths: Sequence[str], progress: Progress) -> Dump:
        """Open the files given, or the session's dump."""
        from ..dumps import open_dump

        if self.session is None:
            if not paths:
                raise click.UsageError("which dump? give its file name")
            if "offset" in self.opening and "format" not in self.opening:
                raise click.UsageError("--offset goes with --format raw")
            offsets = self.opening.get("offset", [0])
            if "format" in self.opening and len(offsets) != len(paths):
                raise click.UsageError(
                    f"{len(paths)} raw files need an --offset each; {len(offsets)} given"
                    if "offset" in self.opening
                    else "several raw files need an --offset each"
                )
            return open_dump(
                *paths, progress=progress, ask=progress.ask, say=progress.say, **self.opening
            )
        if paths or self.opening.keys() & {"format", "offset"}:
            raise click.UsageError("inside crash the dump is the session's; name no file or format")
        from ..session import open_session_dump

        return open_session_dump(self.session, say=progress.say, **self.opening)
