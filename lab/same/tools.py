# SPDX-License-Identifier: GPL-3.0-or-later
"""crash, drgn and gdb, asked about one dump with two vmlinux files."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import LabError
from ..peers.case import asked
from . import listed
from .commands import templates
from .compared import Compared, compared
from .gdb_commands import GDB_COMMANDS
from .places import filled, places
from .sessions import Answers, Crash

ROOT = Path(__file__).parents[2]
_SECONDS = 600
_MARK = "=== lab"


@dataclass(frozen=True)
class Files:
    """A dump and its two vmlinux files; ``kaslr_offset`` is what gdb has to be told."""

    dump: Path
    debug: Path
    made: Path
    kaslr_offset: int = 0


@dataclass(frozen=True)
class Found:
    """What came of it: each command, and those in which a session ended on the made one."""

    commands: Sequence[Compared]
    ended: Mapping[str, str] = field(default_factory=dict)


def in_crash(
    files: Files,
    program: Sequence[str] = ("crash",),
    *,
    chosen: Callable[[str], bool] = lambda _: True,
    seconds: float = 1800,
) -> Found:
    """Every command of which ``chosen`` says so, in one session on each.

    Raises:
        LabError: crash does not come up on one of them.
    """
    debug, made = (
        Crash(program, vmlinux, files.dump, seconds=seconds)
        for vmlinux in (files.debug, files.made)
    )
    values = places(lambda commands: made.ask(commands).out)
    commands = filled([each for each in templates() if chosen(each)], values)
    one, other = debug.ask(commands.values()), made.ask(commands.values())
    return Found(compared(commands, one.out, other.out, listed.IN_CRASH), _worse(one, other))


def _worse(debug: Answers, made: Answers) -> dict[str, str]:
    """Ends of sessions that the debug vmlinux does not bring about as well."""
    return {command: how for command, how in made.ended.items() if command not in debug.ended}


def in_drgn(files: Files) -> Found:
    """Every question; a dump that drgn opens as it is.

    Raises:
        LabError: drgn does not open it.
    """
    one, other = (_drgn(files.dump, vmlinux) for vmlinux in (files.debug, files.made))
    return Found(compared({name: name for name in one}, one, other, listed.IN_DRGN))


def _drgn(dump: Path, vmlinux: Path) -> dict[str, str]:
    argv = [sys.executable, "-m", "lab.same.in_drgn", dump.resolve(), vmlinux.resolve()]
    done = asked(argv, folder=ROOT, seconds=_SECONDS)
    if done.status:
        raise LabError(f"drgn: exit status {done.status}: {done.err.strip()[-300:]}")
    pairs = (json.loads(line) for line in done.out.splitlines())
    return {
        name: answer if isinstance(answer, str) else json.dumps(answer, indent=0)
        for name, answer in pairs
    }


def in_gdb(files: Files) -> Found:
    """Every command; the dump has to be an ELF core.

    Raises:
        LabError: gdb does not end.
    """
    one, other = (_gdb(files, vmlinux) for vmlinux in (files.debug, files.made))
    return Found(compared({name: name for name in GDB_COMMANDS}, one, other, listed.IN_GDB))


def _gdb(files: Files, vmlinux: Path) -> dict[str, str]:
    with TemporaryDirectory(prefix="same-") as folder:
        for name, file in (("vmlinux", vmlinux), ("dump", files.dump)):
            (Path(folder) / name).symlink_to(file.resolve())
        commands = ["core-file dump", f"symbol-file -o {files.kaslr_offset:#x} vmlinux"]
        for number, command in enumerate(GDB_COMMANDS):
            commands += [f"echo {_MARK} {number}\\n", command]
        argv = ["gdb", "-nx", "-batch", *(word for c in commands for word in ("-ex", c))]
        done = asked(argv, folder=Path(folder), seconds=_SECONDS)
    _, *pieces = re.split(rf"{_MARK} (\d+)\n", done.out)
    numbered = dict(zip(pieces[::2], pieces[1::2], strict=True))
    if done.status or len(numbered) != len(GDB_COMMANDS):
        raise LabError(f"gdb: exit status {done.status}: {done.err.strip()[-300:]}")
    return {GDB_COMMANDS[int(number)]: text for number, text in numbered.items()}
