# SPDX-License-Identifier: GPL-3.0-or-later
"""PyKdump for tests: its C module ``crash`` and the way it runs programs.

Each function names the one of PyKdump's Extension/ folder that it behaves like.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path


class error(Exception):  # crash.error (functions.c PyInit_crash)
    """What the module's functions raise."""


class FakePyKdump(types.ModuleType):
    """The module ``crash`` with the functions that a program may use to register."""

    error = error

    def __init__(self, taken: Sequence[str] = ("sys", "bt")) -> None:
        super().__init__("crash")
        self.taken = set(taken)
        self.table: dict[str, tuple[str, str, str]] = {"epython": ("", "", "")}
        self.said: list[str] = []

    def register_epython_prog(self, *args: object) -> bool:
        """functions.c py_register_epython_prog(): four strings, and no keywords."""
        if len(args) != 4 or not all(isinstance(a, str) for a in args):
            raise error("invalid parameter(s) type")
        name, short, synopsis, text = map(str, args)
        if name in self.table or name in self.taken:
            self.said.append(f'"{name}" is a duplicate of a currently-existing command')
            return False
        self.table[name] = (short, synopsis, text)
        return True

    def get_epython_cmds(self) -> list[str]:
        """functions.c py_get_epython_cmds(): in the order of registration."""
        return list(self.table)


def find_pyprog(name: str, search_path: str) -> str | None:
    """epython.c find_pyprog(): the current folder, then PYKDUMPPATH, with .py or without."""
    if name.startswith("/"):
        return name
    for folder in [".", *filter(None, search_path.split(":"))]:
        for candidate in (f"{folder}/{name}", f"{folder}/{name}.py"):
            if Path(candidate).exists():
                return candidate
    return None


class Epython:
    """One session's ``epython``: all programs share ``__main__`` (PyKdump_Run_File)."""

    def __init__(self, module: FakePyKdump, search_path: str = "") -> None:
        self.module = module
        self.search_path = search_path
        self.main: dict[str, object] = {"__name__": "__main__"}
        self.out: list[str] = []

    def run(self, *argv: str) -> None:
        """epython.c epython_execute_prog()."""
        found = find_pyprog(argv[0], self.search_path)
        if found is None:
            self.out.append(f" Cannot find the program <{argv[0]}>")
            return
        saved = sys.argv, sys.modules.get("crash")
        sys.argv, sys.modules["crash"] = [found, *argv[1:]], self.module
        self.main["__file__"] = found
        try:
            exec(compile(Path(found).read_text(), found, "exec"), self.main)
        except SystemExit as stop:
            if isinstance(stop.code, int) and stop.code > 0:
                self.out.append(f" -- sys.exit({stop.code}) --")
        finally:
            sys.argv = saved[0]
            del sys.modules["crash"]
            if saved[1] is not None:
                sys.modules["crash"] = saved[1]
            del self.main["__file__"]

    def command(self, name: str, *args: str) -> None:
        """functions.c epython_subcommand(): a registered command runs its program."""
        assert name in self.module.table
        self.run(name, *args)


def in_folder(folder: Path, deed: Callable[[], None]) -> None:
    """Do it with ``folder`` as the current one."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        deed()
    finally:
        os.chdir(before)
