# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress line for what takes longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from ..text import shown

#: Seconds before the first line, and between two.
PATIENCE, INTERVAL = 1.0, 0.2


class Progress:
    """Called with ``(stage, fraction done)``; writes to a terminal only, and cleans up."""

    def __init__(self, err: TextIO) -> None:
        self.err = err
        self.enabled = err.isatty()
        self.started = self.stage_started = time.monotonic()
        self.stage = ""
        self.due = self.started + PATIENCE
        self.width = 0

    def __call__(self, stage: str, fraction: float) -> None:
        """Note the progress, and show it when it is time to."""
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.stage_started = stage, now
        if not self.enabled or now < self.due:
            return
        self.due = now + INTERVAL
        self._show(f"{stage}: {fraction:4.0%}{self._estimate(now, fraction)}")

    def say(self, text: str) -> None:
        """Print a line beside the output, in the place of the progress line."""
        if self.width:
            self._show("")
            self.err.write("\r")
            self.width = 0
        print(f"qemufix: {shown(text)}", file=self.err, flush=True)

    @property
    def ask(self) -> Callable[[str], bool] | None:
        """Puts a question to who sits at the terminal; None where nobody does."""
        return self._ask if self.enabled and sys.stdin and sys.stdin.isatty() else None

    def _ask(self, question: str) -> bool:
        self._show("")
        self.err.write(f"\r{shown(question)} [y/N] ")
        self.err.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _estimate(self, now: float, fraction: float) -> str:
        elapsed = now - self.stage_started
        if fraction <= 0 or elapsed < PATIENCE:
            return ""
        return f", about {elapsed * (1 - fraction) / fraction:.0f} s left"

    def _show(self, line: str) -> None:
        self.err.write("\r" + line.ljust(self.width))
        self.err.flush()
        self.width = len(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.width:
            self.err.write("\r" + " " * self.width + "\r")
            self.err.flush()
