# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands for a program that takes the end of its standard input for a failure, as crash does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 16


@contextmanager
def fed(last: bytes) -> Iterator[bool]:
    """Standard input, with the line ``last`` behind its own end; nothing of a terminal's.

    Whether that is so is yielded. crash ends with status 1 where its input ends (cmdline.c,
    ``clean_exit(1)``), as where it does not come up. What a program that is started does not read,
    the next one does.
    """
    if sys.stdin is None or os.isatty(0):
        yield False
        return
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _pass_on(writer, last)
    os.close(writer)
    own = os.dup(0)
    os.dup2(reader, 0)
    os.close(reader)
    try:
        yield True
    finally:
        os.dup2(own, 0)
        os.close(own)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _pass_on(writer: int, last: bytes) -> None:
    """Copy all of standard input, then ``last`` as a line; ends this process."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    before = b"\n"
    try:
        while data := os.read(0, _CHUNK):
            _write(writer, data)
            before = data
        _write(writer, (b"" if before.endswith(b"\n") else b"\n") + last + b"\n")
    finally:
        os._exit(0)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
