# SPDX-License-Identifier: GPL-3.0-or-later
"""The door for PyKdump: its Python runs our commands in its session.

PyKdump (its Extension/epython.c and functions.c) gives programs a C module named
``crash``. Of that only the registration of commands is used; what touches crash is
``_host.so``, as in our own plugin, since it guards each call against crash's jumps
and PyKdump's functions do not.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from ..errors import SessionError
from ..text import printable

if TYPE_CHECKING:
    from .host import Host

COMMAND = "qemufix"
_SHORT = "find the kernel in a QEMU guest dump and put this session right"
_SYNOPSIS = "detect | physbase [--apply] [--json] ...  (-h lists all options)"
_HELP = """
  Runs qemufix by PyKdump. The commands are those of qemufix.so:

    detect            says whether QEMU wrote the dump, and from what that follows
    physbase          finds phys_base and the KASLR offset
    physbase --apply  starts crash again with them if the session has others

EXAMPLE
  Find the kernel, and see what would be done to the session:

    crash> qemufix physbase
    crash> qemufix physbase --apply --dry-run
"""


class PyKdump(Protocol):
    """What we use of PyKdump's C module ``crash``."""

    def register_epython_prog(self, name: str, short: str, synopsis: str, text: str, /) -> bool:
        """Make ``name`` a command of crash that runs the program of that name."""

    def get_epython_cmds(self) -> list[str]:
        """The commands that were registered so far."""


def main(argv: Sequence[str], search_path: str) -> int:
    """Run one command line; ``argv[0]`` is the program, as PyKdump found it.

    ``search_path`` is PYKDUMPPATH. ``--register`` only makes ``qemufix`` a command;
    any other command line does so on the way. Returns the exit status, and prints
    every error itself: PyKdump would show a traceback.
    """
    from .crash_host import CrashHost
    from .plugin import run_in

    sys.stdout.flush()  # PyKdump's own buffer; we print through crash's stream
    try:
        pykdump = cast(PyKdump, importlib.import_module("crash"))
        host = CrashHost()
    except (ImportError, SessionError) as error:
        print(f"{COMMAND}: {printable(str(error))}", flush=True)
        return 1
    only_register = list(argv[1:]) == ["--register"]
    problem = register(pykdump, host, search_path)
    if only_register:
        if problem:
            host.message(problem)
        return 1 if problem else 0
    return run_in(host, argv[1:])


def register(pykdump: PyKdump, host: Host, search_path: str) -> str | None:
    """Make ``qemufix`` a command of crash; says why when it can't be.

    PyKdump looks for a registered command's program in the current folder and in
    PYKDUMPPATH (find_pyprog), so there it must be.
    """
    if COMMAND in pykdump.get_epython_cmds():
        return None
    if any(Path(name).name == "qemufix.so" for name in host.extensions()):
        return "qemufix.so is loaded, and the command is its own"
    folders = [".", *search_path.split(":")] if search_path else ["."]
    if not any((Path(folder) / f"{COMMAND}.py").is_file() for folder in folders):
        return f"{COMMAND}.py is neither in the current folder nor in PYKDUMPPATH"
    if not pykdump.register_epython_prog(COMMAND, _SHORT, _SYNOPSIS, _HELP):
        return "crash has another command of that name"
    return None
