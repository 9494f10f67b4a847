# SPDX-License-Identifier: GPL-3.0-or-later
"""gdb: on an ELF core that has the kernel's virtual addresses."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from ..arch.base import Architecture
from ..errors import LaunchError
from ..text import hex64
from . import look
from .case import Case, Want
from .program import chosen_program, in_path

_MULTIARCH = "gdb-multiarch"  # Debian's name of a gdb for every architecture


class Gdb:
    """See :class:`crashext.launch.case.Tool`."""

    name = "gdb"
    needs_contents = False

    def program(self, arch: Architecture, chosen: str | None) -> list[str]:
        """The one chosen; this machine's, for other architectures one that has them all."""
        if chosen is not None:
            return [chosen_program(chosen, "--gdb")]
        own = platform.machine() in (arch.name, *arch.dump_arches)
        found = in_path("gdb", _MULTIARCH) if own else in_path(_MULTIARCH)
        if found is None:
            names = f"gdb or {_MULTIARCH}" if own else _MULTIARCH
            raise LaunchError(
                f"there is no gdb for {arch.name} in PATH: install {names}, or name one "
                "with --gdb PROGRAM"
            )
        return [found]

    def is_old(self, program: Sequence[str]) -> bool:
        """None is."""
        return False

    def wants(self, case: Case) -> tuple[Want, str]:
        """An ELF core with virtual addresses."""
        if case.dump.format != "elf" or not all(map(look.is_elf, case.paths)):
            return "elf", "gdb reads plain ELF cores only"
        if not case.is_right:
            return "mended", "gdb needs the kernel's virtual addresses in the headers"
        return "file", ""

    def arguments(self, case: Case, files: Sequence[str], options: Sequence[str]) -> list[str]:
        """The symbols, moved as KASLR moved the kernel, then the memory, then the user's."""
        offset = hex64(case.location.kaslr_offset or 0)
        symbols = f"symbol-file -o {offset} {_quoted(case.debug or case.vmlinux)}"
        return ["-ex", symbols, "-ex", f"core-file {files[0]}", *options]

    def again(self, command: list[str]) -> list[str] | None:
        """Nothing."""
        return None


def _quoted(path: str) -> str:
    """A file's name as gdb's commands take it (gdb_buildargv, libiberty)."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
