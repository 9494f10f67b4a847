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
    """A crash session."""

    @property
    def dumpfile(self) -> str | None:
        """Path of the dump as crash was given it; None on a live system."""

    @property
    def namelist(self) -> str:
        """Path of the vmlinux with symbols that crash uses."""

    @property
    def crash_version(self) -> str:
        """Version of the running crash, such as "8.0.2"."""

    @property
    def machine(self) -> str:
        """The architecture that this crash is for, as it names it (pc->machine_type)."""

    @property
    def minimal(self) -> bool:
        """Whether the session was started with ``--minimal`` and still is minimal."""

    @property
    def can_reinit(self) -> bool:
        """Whether the session can be re-initialised as it runs."""

    @property
    def in_rc_file(self) -> bool:
        """Whether the running command is a line of a ``.crashrc``."""

    @property
    def phys_base(self) -> int | None:
        """What the session translates with, signed bytes.

        None where crash has no such value for its architecture.
        """

    @property
    def kimage_voffset(self) -> int | None:
        """``vaddr - paddr`` of the kernel image modulo 2^64; None where crash has phys_base."""

    @property
    def kaslr_offset(self) -> int | None:
        """Bytes that the session's symbols are moved by."""

    @property
    def settings(self) -> Settings:
        """What ``set`` may have changed."""

    @property
    def record(self) -> str:
        """The line that went with the last deed (crashext.session.applied), or nothing."""

    @property
    def origin_waits(self) -> bool:
        """Whether the session that this one was made of is there to be gone back to."""

    def read_phys(self, paddr: int, size: int) -> bytes | None:
        """Guest-physical memory as crash reads it, or None where it can't."""

    @property
    def on_terminal(self) -> bool:
        """Whether what is written shows on a terminal at once, with no pager or pipe between."""

    def read_virt(self, vaddr: int, size: int) -> bytes | None:
        """The guest kernel's memory as the session translates it, or None where it can't."""

    def write(self, text: str) -> None:
        """Print through crash's output; raises BrokenPipeError when nobody reads it."""

    def message(self, line: str) -> None:
        """Print one line in crash's error style, after the command's name."""

    def reinit(self, phys_base: int, kaslr_offset: int, limit: float, record: str) -> None:
        """Re-initialise the session whole or not at all, within ``limit`` seconds.

        ``record`` is a line that the session keeps when it is done.
        Crash tells how it went: the session that goes on may be a copy of this
        process, or it may happen only after the command has ended.
        """

    def restart(self, args: Sequence[str], script: bytes, record: str) -> None:
        """Start crash anew with ``args`` (argv), running ``script`` first."""

    def go_back(self, record: str) -> None:
        """Let the session that this one was made of go on in its place.

        Crash tells how it went, when the command has ended.
        """

    def command_line(self) -> list[str]:
        """The argv that this crash was started with."""

    def pending_script(self) -> bytes:
        """The lines of the input file (``-i``, ``<``) after the running command."""

    def extensions(self) -> list[str]:
        """File names of the loaded extensions, in the order of loading."""
