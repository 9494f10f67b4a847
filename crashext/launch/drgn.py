# SPDX-License-Identifier: GPL-3.0-or-later
"""drgn: on one ELF core or kdump with a VMCOREINFO that is right."""

from __future__ import annotations

from collections.abc import Sequence

from ..arch.base import Architecture
from ..errors import LaunchError
from . import look
from .case import Case, Want
from .program import beside_python, chosen_program, in_path

#: Options that say which symbols to load besides those named; drgn takes one of them.
_WHICH_SYMBOLS = ("--no-default-symbols", "--main-symbols")


class Drgn:
    """See :class:`crashext.launch.case.Tool`."""

    name = "drgn"
    needs_contents = False

    def program(self, arch: Architecture, chosen: str | None) -> list[str]:
        """The one chosen, in PATH, or beside our Python."""
        if chosen is not None:
            return [chosen_program(chosen, "--drgn")]
        found = in_path("drgn") or beside_python("drgn")
        if found is None:
            raise LaunchError("there is no drgn in PATH: install it (pip install drgn)")
        return [found]

    def is_old(self, program: Sequence[str]) -> bool:
        """None is."""
        return False

    def wants(self, case: Case) -> tuple[Want, str]:
        """The file where it is right, else the dump repaired; an ELF core where kdump won't do."""
        why = _why_not_as_it_is(case)
        if why:
            return "elf", why
        if not all(map(look.is_plain_dump, case.paths)):
            return "mended", "drgn reads no compressed or flattened files"
        if not case.is_right:
            return "mended", "drgn needs headers that are right"
        return "file", ""

    def arguments(self, case: Case, files: Sequence[str], options: Sequence[str]) -> list[str]:
        """The core and the symbols, and whatever the user adds.

        A vmlinux made from the dump has the types of its modules too: drgn is not to look for
        more, not on debuginfod servers either. Every drgn has the option. VMCOREINFO is in the
        files: ``--vmcoreinfo``, which came with 0.0.27, does for an ELF core at most, and stacks
        come out wrong where the headers are as QEMU writes them.
        """
        enough = case.is_made and not set(_WHICH_SYMBOLS) & set(options)
        alone = [_WHICH_SYMBOLS[0]] if enough else []
        return ["-c", *files, "-s", case.debug or case.vmlinux, *alone, *options]

    def again(self, command: list[str]) -> list[str] | None:
        """Nothing."""
        return None


def _why_not_as_it_is(case: Case) -> str:
    """What keeps drgn from the dump's own format, whatever its headers say; "" for nothing."""
    dump = case.dump
    if dump.format not in ("elf", "kdump"):
        return f"drgn reads no {dump.format} dumps"
    if len(case.paths) > 1:
        return "drgn reads no dumps in several files"
    if dump.format == "kdump" and dump.page_size != case.location.page_size:
        return "drgn takes the size of a kdump's blocks for that of the kernel's pages"
    if dump.format == "kdump" and case.has_crashed:
        return "drgn reads a kdump by the page tables of the kernel that runs now"
    return ""
