# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: one entry for the shell and for a crash session."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..errors import CrashExtError, FetchError, LaunchError, SessionError
from ..text import shown

if TYPE_CHECKING:
    from ..session.host import Host

EXIT_YES, EXIT_NO, EXIT_USAGE, EXIT_FILE = 0, 1, 2, 3
#: An error of ours (sysexits.h EX_SOFTWARE), and the shell's number for an interrupt.
EXIT_BUG, EXIT_INTERRUPTED = 70, 130


def main() -> None:
    """Console entry point: run the process's arguments and exit with the status."""
    import signal

    # A reader that goes away (`| head`) ends us quietly, as it ends other tools.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):
        # Said already, or there is no stdout (`>&-`); exiting must not try again.
        os._exit(status)
    sys.exit(status)


def run(
    argv: Sequence[str],
    *,
    session: Host | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Run one command line and return its exit status; raises nothing.

    Inside crash, ``session`` gives the dump and the kernel, and ``out`` and ``err``
    are crash's. The statuses: 0 yes or found, 1 answered no, 2 usage, 3 a file can't
    be read or is damaged, 70 an error of qemufix itself, 130 interrupted.
    """
    out, err = out or sys.stdout or _nowhere(), err or sys.stderr or _nowhere()
    try:
        from .commands import execute
        from .job import Job

        status = execute(argv, Job(session, out, err))
        out.flush()
        return status
    except (KeyboardInterrupt, EOFError):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_NO
    except Exception as error:
        problem, status = _verdict(error)
    with suppress(OSError):
        print(f"qemufix: {shown(problem)}", file=err, flush=True)
    return status


def _nowhere() -> TextIO:
    """Where output goes that the caller has closed."""
    return Path(os.devnull).open("w", encoding="ascii")


#: What the command line, the vmlinux reader, pages and pictures stand on: module and package.
_NEEDED = {"click": "click", "elftools": "pyelftools", "jinja2": "Jinja2", "cairosvg": "CairoSVG"}


def _verdict(error: Exception) -> tuple[str, int]:
    """One line for the user, and the exit status."""
    if isinstance(error, (SessionError, LaunchError, FetchError)):
        return str(error), EXIT_NO
    if isinstance(error, CrashExtError):
        return str(error), EXIT_FILE
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}", EXIT_FILE
    if isinstance(error, ModuleNotFoundError) and error.name in _NEEDED:
        python = f"{sys.executable} (Python {sys.version_info[0]}.{sys.version_info[1]})"
        return (
            f"the Python package {_NEEDED[error.name]} is not installed for {python}: "
            "run `make setup` in the source tree, or install it there with pip",
            EXIT_BUG,
        )
    problem = f"unexpected {type(error).__name__}: {error} (a bug: please report it)"
    return problem, EXIT_BUG
