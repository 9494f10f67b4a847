# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a dump that a tool is to open, and what the tools are alike in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from ..arch import architecture_of
from ..arch.base import Architecture
from ..dumps.base import Dump
from ..errors import LaunchError, RepairError
from ..locate import Found, Location
from ..repair.headers import VMCOREINFO
from ..repair.plan import Plan, plan_repair

Want = Literal["file", "mended", "elf"]
"""What a tool is given: the files as they are, the dump repaired, or an ELF core of it."""


@dataclass(frozen=True)
class Case:
    """A dump whose kernel was found, with its vmlinux.

    Attributes:
        paths: the files, as they were given.
        dump: what they hold.
        found: the kernel that was found in it.
        vmlinux: the path of its vmlinux, which fits.
        debug: the path of its debug information, where that is another file.
        is_made: whether the vmlinux was made from this very dump.
    """

    paths: tuple[str, ...]
    dump: Dump
    found: Found
    vmlinux: str
    debug: str | None = None
    is_made: bool = False

    @property
    def location(self) -> Location:
        """Where the kernel is."""
        return self.found.location

    @property
    def arch(self) -> Architecture:
        """The descriptor of the guest's architecture."""
        return arch_of(self.location)

    @cached_property
    def plan(self) -> Plan:
        """The repair.

        Raises:
            RepairError: too little is known for one.
        """
        return plan_repair(self.found, force=True)  # nothing is written

    @property
    def has_right_vmcoreinfo(self) -> bool:
        """Whether the dump has a VMCOREINFO that fits the kernel; not known is yes."""
        try:
            changes = self.plan.changes
        except RepairError:
            return True
        return not any(change.what.startswith(VMCOREINFO) for change in changes)

    @property
    def has_crashed(self) -> bool:
        """Whether the kernel crashed, and the vCPUs run in its capture kernel."""
        kernel = self.location.kernel
        return kernel is not None and kernel["state"] == "crashed"

    @property
    def is_right(self) -> bool:
        """Whether there is nothing to repair, or nothing that could be."""
        try:
            return not (self.plan.changes or self.plan.unmendable)
        except RepairError:
            return True


def arch_of(location: Location) -> Architecture:
    """The descriptor of the guest's architecture.

    Raises:
        LaunchError: there is none.
    """
    found = architecture_of(location.arch)
    if found is None:
        raise LaunchError(f"nothing is known of {location.arch}")
    return found


class Tool(Protocol):
    """A program that opens dumps; ``name`` is what it is called."""

    @property
    def name(self) -> str:
        """The command's name."""

    @property
    def needs_contents(self) -> bool:
        """Whether it takes no separate debug file for a vmlinux."""

    def program(self, arch: Architecture, chosen: str | None) -> list[str]:
        """The program, a path and perhaps its first arguments; ``chosen`` by the user.

        Raises:
            LaunchError: there is none that takes dumps of that architecture.
        """

    def is_old(self, program: Sequence[str]) -> bool:
        """Whether it can't read what kernels have become, and a vmlinux is made as before."""

    def wants(self, case: Case) -> tuple[Want, str]:
        """What it has to be given, and why it can't be the file, in a few words."""

    def arguments(self, case: Case, files: Sequence[str], options: Sequence[str]) -> list[str]:
        """Its command line behind the program, for ``files`` as it is given them."""

    def again(self, command: list[str]) -> list[str] | None:
        """The command to try where this one did not come up; None where nothing is left."""
