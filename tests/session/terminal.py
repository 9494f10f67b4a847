# SPDX-License-Identifier: GPL-3.0-or-later
"""A crash session as a person has it: on a terminal, with prompts and Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

from .crash_driver import TIMEOUT, environment


class Terminal:
    """A crash session on a terminal of its own."""

    def __init__(self, argv: list[str], cwd: Path, **env: str) -> None:
        self.text, self.argv = "", argv
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(argv[0], argv, environment(**env))

    def read_until(self, words: str, since: int = 0) -> int:
        """Wait for words after the place ``since`` of the text; the place behind them."""
        end = time.monotonic() + TIMEOUT
        while (at := self.text.find(words, since)) < 0:
            assert time.monotonic() < end, self.text
            if select.select([self.fd], [], [], 0.5)[0]:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
        return at + len(words)

    def type(self, text: str) -> int:
        os.write(self.fd, text.encode())
        return len(self.text)

    def close(self) -> int:
        self.type("quit\n")
        return os.waitpid(self.pid, 0)[1]

    def kill(self) -> None:
        """End it at once, if it has not ended yet."""
        with suppress(ChildProcessError):
            if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
