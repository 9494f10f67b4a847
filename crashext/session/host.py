# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rest of the package may ask of a crash session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Settings:
    """Session settings of crash's ``set`` command that a restart carries over."""

    scroll: bool
    radix: int
    debug: int


class Host(Protocol):
    """A crash session.

    Attributes:
        dumpfile: path of the dump as crash was given it; None on a live system.
        namelist: path of the vmlinux with symbols that crash uses.
        crash_version: of the running crash, "8.0.2".
        minimal: the session was started with ``--minimal`` and still is minimal.
        can_reinit: the session can be re-initialised as it runs.
        in_rc_file: the running command is a line of a ``.crashrc``.
        phys_base: signed bytes, what the session translates with; None where this
            crash has no such value (other architectures than x86_64).
        kaslr_offset: bytes its symbols are moved by, or None likewise.
    """

    @property
    def dumpfile(self) -> str | None: ...
    @property
    def namelist(self) -> str: ...
    @property
    def crash_version(self) -> str: ...
    @property
    def minimal(self) -> bool: ...
    @property
    def can_reinit(self) -> bool: ...
    @property
    def in_rc_file(self) -> bool: ...
    @property
    def phys_base(self) -> int | None: ...
    @property
    def kaslr_offset(self) -> int | None: ...
    @property
    def settings(self) -> Settings: ...

    def read_phys(self, paddr: int, size: int) -> bytes | None:
        """Guest-physical memory as crash reads it, or None where it can't."""

    def write(self, text: str) -> None:
        """Print through crash's output; raises BrokenPipeError when nobody reads it."""

    def message(self, line: str) -> None:
        """Print one line in crash's error style, after the command's name."""

    def reinit(self, phys_base: int, kaslr_offset: int, limit: float) -> None:
        """Re-initialise the session whole or not at all, within ``limit`` seconds.

        Crash tells how it went: the session that goes on may be a copy of this
        process, or it may happen only after the command has ended.
        """

    def restart(self, args: Sequence[str], script: bytes) -> None:
        """Start crash anew with ``args`` (argv), running ``script`` first."""

    def command_line(self) -> list[str]:
        """The argv that this crash was started with."""

    def pending_script(self) -> bytes:
        """The lines of the input file (``-i``, ``<``) after the running command."""

    def extensions(self) -> list[str]:
        """File names of the loaded extensions, in the order of loading."""
