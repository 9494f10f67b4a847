# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of docs/vmlinux-table.md: a tool, a guest's dump, the two vmlinux files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from .. import crash
from ..errors import LabError, run
from ..packages import own_architecture
from ..peer_table import repaired
from ..peers.case import case
from ..target import TARGETS
from .mended import mend
from .tools import Files, Found, in_crash, in_drgn, in_gdb

ROOT = Path(__file__).parents[2]
Tool = Literal["crash", "drgn", "gdb"]

#: What crash prints of an emulated guest in a time that one can wait: no disassembly of all.
_SLOW = re.compile(
    r"foreach|^search|sym -[lM]|list -|whatis -m|kmem -[sSfFvV]\b(?! )|^gdb|ps -r|sys -c"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one guest's dump.

    Attributes:
        program: the words that start the tool, where it is no program of the machine's own.
    """

    tool: Tool
    guest: str
    program: tuple[str, ...] = ()

    def truth(self, dumps: Path) -> dict[str, Any]:
        """What the guest said of itself."""
        facts: dict[str, Any] = json.loads((dumps / f"{self.guest}.json").read_text())
        return facts

    def dump(self, dumps: Path) -> Path:
        """gdb reads ELF cores alone."""
        return dumps / f"{self.guest}.{'elf' if self.tool == 'gdb' else 'kdump'}"


ROWS = (
    Row("crash", "ovmf-4cpu"),
    Row("crash", "panicked"),
    Row("drgn", "ovmf-4cpu"),
    Row("drgn", "panicked"),
    Row("drgn", "newer-kernel"),
    Row("drgn", "development-kernel"),
    Row("drgn", "odd-types"),
    Row("drgn", "arm64-newer-uefi"),
    Row("gdb", "ovmf-4cpu"),
    Row("gdb", "newer-kernel"),
    Row("gdb", "development-kernel"),
)


@contextmanager
def compared_files(row: Row, dumps: Path) -> Iterator[tuple[Files, tuple[str, ...]]]:
    """The row's files while they are needed, and the words that start its tool.

    What crash before 8.0.4 is given is made for it, and the debug vmlinux mended likewise.

    Raises:
        LabError: the tool or a file is not there, or ``qemufix`` failed.
    """
    truth = row.truth(dumps)
    program = row.program or _program(row.tool, truth["arch"])
    debug, dump = (dumps / truth["vmlinux"]).resolve(), row.dump(dumps)
    old = row.tool == "crash" and is_old(program)
    with TemporaryDirectory(prefix="same-") as name:
        folder = Path(name)
        made = make(dump, folder / "made", old_crash=old)
        if old:
            mend(debug, folder / "debug")
            debug = folder / "debug"
        if row.tool == "drgn":
            dump = _repaired(dump, folder)
        yield Files(dump, debug, made, int(truth["kaslr_offset"], 16)), program


def ask(row: Row, dumps: Path) -> Found:
    """What the row's tool makes of both.

    Raises:
        LabError: it was not asked, or does not open the dump with one of them.
    """
    with compared_files(row, dumps) as (files, program):
        if row.tool == "crash":
            emulated = not is_native(row.truth(dumps)["arch"])
            chosen: Callable[[str], bool] = _is_quick if emulated else _is_any
            return in_crash(files, program, chosen=chosen)
        return {"drgn": in_drgn, "gdb": in_gdb}[row.tool](files)


def is_native(arch: str) -> bool:
    """Whether it is the machine's own architecture."""
    return TARGETS[arch].debian == own_architecture()  # type: ignore[index]


def _is_any(_: str) -> bool:
    return True


def _is_quick(template: str) -> bool:
    return not _SLOW.search(template)


def _program(tool: Tool, arch: str) -> tuple[str, ...]:
    if tool != "crash":
        return ()
    program = crash.program(arch)
    if program is None:
        raise LabError(f"there is no crash for {arch} here")
    return (program,)


def version(row: Row, dumps: Path) -> str:
    """The tool with its version."""
    if row.tool == "drgn":
        import drgn

        return f"drgn {drgn.__version__}"
    program = row.program or _program(row.tool, row.truth(dumps)["arch"]) or (row.tool,)
    found = re.search(r"(?:crash|gdb\b.*?) (\d[\w.]*)", run([*program, "--version"]))
    return f"{row.tool} {found[1]}" if found else row.tool


def is_old(program: Sequence[str]) -> bool:
    """Whether a crash is one from before 8.0.4."""
    found = re.search(r"crash (\d+)\.(\d+)\.(\d+)", run([*program, "--version"]))
    return found is not None and tuple(map(int, found.groups())) < (8, 0, 4)


def make(dump: Path, out: Path, *options: str, old_crash: bool = False) -> Path:
    """A vmlinux made by ``qemufix vmlinux``.

    Raises:
        LabError: its exit status is not 0.
    """
    words = ["vmlinux", dump, "-o", out, "--old-crash" if old_crash else "--new-crash", *options]
    _qemufix(words)
    return out


def _repaired(dump: Path, folder: Path) -> Path:
    """A copy of the dump that drgn opens as it is."""
    one = case(dump)
    if one is None:
        raise LabError(f"{dump.name}: no kernel, or no vmlinux of it")
    return repaired(one, folder).dump


def _qemufix(words: Sequence[str | Path]) -> None:
    argv = [sys.executable, "-m", "crashext", *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"qemufix {words[0]}: exit status {done.returncode}: {done.stderr.strip()}")
