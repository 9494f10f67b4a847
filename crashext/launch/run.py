# SPDX-License-Identifier: GPL-3.0-or-later
"""Becoming a program, or running it in the foreground until it has ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

#: What a parent leaves to the program in the foreground, which has the terminal.
_OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
#: Signals that Python ignores, and who is executed would ignore as well.
_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def become(command: Sequence[str]) -> NoReturn:
    """Execute the command in this process."""
    _flush()
    for number in _PYTHON_IGNORES:
        signal.signal(number, signal.SIG_DFL)
    os.execv(command[0], list(command))


def run(command: Sequence[str]) -> int:
    """Run the command with our terminal; its exit status, 128 + N where signal N ended it."""
    _flush()
    old = {number: signal.signal(number, signal.SIG_IGN) for number in _OF_THE_TERMINAL}
    try:
        child = os.fork()
        if child == 0:
            _child(command, old)
        for number in _PASSED_ON:
            old[number] = signal.signal(number, lambda n, _: os.kill(child, n))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _child(command: Sequence[str], handlers: Mapping[signal.Signals, Any]) -> NoReturn:
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        become(command)
    except OSError as error:
        print(f"qemufix: can't start {command[0]}: {error.strerror}", file=sys.stderr)
    finally:
        os._exit(127)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
