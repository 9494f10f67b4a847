# SPDX-License-Identifier: GPL-3.0-or-later
"""crash: of the dump's architecture, with the options that place the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..arch import CRASH_MACHINES
from ..arch.base import Architecture
from ..errors import LaunchError
from ..text import printable
from . import look
from .case import Case, Want
from .program import chosen_program, in_path, said_by

_MINIMAL = "--minimal"
#: A line of `crash --buildinfo`, which every crash since 4.0 answers.
_TARGET = re.compile(r"^\s*build_target: *(\w+)", re.MULTILINE)
#: Likewise of `crash --version`.
_VERSION = re.compile(r"^crash (\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_COUNTS_TASKS = (8, 0, 4)


class Crash:
    """See :class:`crashext.launch.case.Tool`."""

    name = "crash"
    needs_contents = True  # "no text and data contents", symbols.c

    def program(self, arch: Architecture, chosen: str | None) -> list[str]:
        """The crash of the dump's architecture: ``crash``, ``crash-ARCH``, or the one chosen."""
        if chosen is not None:
            return [chosen_program(chosen, "--crash")]
        names = ["crash", *(f"crash-{name}" for name in _spellings(arch))]
        unknown, others = [], []
        for name in names:
            found = in_path(name)
            machine = None if found is None else _machine(found)
            if found is None:
                continue
            if machine is None:
                unknown.append(found)
            elif machine in (arch.name, *arch.dump_arches):
                return [found]
            else:
                others.append(f"{name} is for {machine}")
        if unknown:
            return unknown[:1]
        seen = f" ({', '.join(others)})" if others else ""
        raise LaunchError(
            f"there is no crash for {arch.name} in PATH{seen}: install one as "
            f"crash-{arch.name}, or name it with --crash PROGRAM"
        )

    def is_old(self, program: Sequence[str]) -> bool:
        """Whether it is from before 8.0.4, which counts tasks wrongly on kernels since 6.5.

        They made the array at the end of ``struct pid`` one without a length.
        """
        found = _VERSION.search(said_by([*program, "--version"]))
        return found is not None and tuple(map(int, found.groups())) < _COUNTS_TASKS

    def wants(self, case: Case) -> tuple[Want, str]:
        """The files where it reads them and its options say enough; else the dump repaired."""
        kind = case.dump.format
        if kind not in ("elf", "kdump"):
            return "elf", f"crash reads no {kind} dumps"
        if not all(look.is_plain_dump(p) or look.is_flattened(p) for p in case.paths):
            return "mended", "crash reads no compressed files"
        if getattr(case.dump, "displaced", 0):
            return "mended", "the memory lies elsewhere than its headers say"
        needs = case.arch.crash_lacks or case.dump.vmcoreinfo is not None
        if needs and not case.has_right_vmcoreinfo:
            return "mended", "crash needs a VMCOREINFO that is right"
        return "file", ""

    def arguments(self, case: Case, files: Sequence[str], options: Sequence[str]) -> list[str]:
        """The options that place the kernel, the user's, and the files."""
        kernel = [case.vmlinux] if case.debug is None else [case.vmlinux, case.debug]
        return [*case.location.crash_args, *options, *kernel, *files]

    def again(self, command: list[str]) -> list[str] | None:
        """A minimal session, which reads next to nothing of the kernel as it starts."""
        if any(word.startswith("--mi") for word in command[1:]):
            return None
        return [command[0], _MINIMAL, *command[1:]]


def _spellings(arch: Architecture) -> Iterator[str]:
    """What an architecture may be called in a program's name."""
    own = (machine.lower() for machine, name in CRASH_MACHINES.items() if name == arch.name)
    yield from dict.fromkeys([arch.name, *own, *arch.dump_arches])


def _machine(program: str) -> str | None:
    """The architecture of the dumps that a crash reads, as dumps name it; None if not told."""
    found = _TARGET.search(said_by([program, "--buildinfo"]))
    return CRASH_MACHINES.get(found.group(1), printable(found.group(1))) if found else None
