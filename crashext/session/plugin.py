# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``qemufix`` command of a crash session."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from .host import Host

_PREFIX = "qemufix: "  # crash puts the command's name before a message itself


class SessionOutput(io.TextIOBase):
    """Text written here is printed by crash, to wherever its command prints."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def writable(self) -> bool:
        """Always; see io.TextIOBase."""
        return True

    def write(self, text: str) -> int:
        """Print ``text``."""
        self._host.write(text)
        return len(text)


class SessionErrors(io.TextIOBase):
    """Each line written here becomes a message in crash's error style.

    What begins with a carriage return is a progress line (cli/progress.py), which is no message.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._rest = ""

    def writable(self) -> bool:
        """Always; see io.TextIOBase."""
        return True

    def isatty(self) -> bool:
        """Whether there is a place for a progress line."""
        return self._host.on_terminal

    def write(self, text: str) -> int:
        """Take ``text``; whole lines are printed at once, the rest on flush."""
        if text.startswith("\r"):
            self._host.write(text)
            return len(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        """Print what has no line end yet."""
        rest, self._rest = self._rest, ""
        self._say(rest)

    def _say(self, line: str) -> None:
        if line:
            self._host.message(line.removeprefix(_PREFIX))


def main(argv: Sequence[str]) -> int:
    """Run one ``qemufix`` command line of crash; ``argv[0]`` is the command's name."""
    from .crash_host import CrashHost

    return run_in(CrashHost(), argv[1:])


def run_in(host: Host, argv: Sequence[str]) -> int:
    """Run one command line in a session; returns its exit status."""
    from ..cli import run

    out = cast(TextIO, SessionOutput(host))
    errors = cast(TextIO, SessionErrors(host))
    try:
        return run(argv, session=host, out=out, err=errors)
    finally:
        errors.flush()
