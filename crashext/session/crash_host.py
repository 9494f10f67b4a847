# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash session that started us, as it answers on the line."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from ..arch.base import MASK64
from ..errors import SessionError
from .host import Settings
from .line import LINE_FD, MAX_READ, PROTOCOL, Line, Request, write_all

_STDOUT = 1


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _printed(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


class CrashHost:
    """The :class:`~crashext.session.host.Host` at the other end of the line.

    The session stands still while we run, so its facts are asked for once.

    Raises:
        SessionError: there is no session, or it is none that we can talk to.
    """

    def __init__(self, line: int = LINE_FD, output: int = _STDOUT) -> None:
        self._line = Line(line)
        self._output = output
        facts = self._line.ask(Request.FACTS) or b""
        pairs = [_text(fact).partition("=") for fact in facts.split(b"\0") if fact]
        self._facts = {name: value for name, _, value in pairs}
        self._extensions = [value for name, _, value in pairs if name == "extension"]
        self._arguments = [value for name, _, value in pairs if name == "argument"]
        if self._facts.get("protocol") != str(PROTOCOL):
            raise SessionError("_host.so and this package are not of one version: run make again")
        built_for = self._facts["built_for"]
        if built_for != self.crash_version:
            raise SessionError(
                f"_host.so was built for crash {built_for}, this is {self.crash_version}"
            )

    def _is(self, name: str) -> bool:
        return self._facts[name] == "1"

    def _number(self, name: str) -> int | None:
        return int(self._facts[name]) if name in self._facts else None

    @property
    def dumpfile(self) -> str | None:
        """Path of the dump; None on a live system."""
        return None if self._is("live") else self._facts["dumpfile"] or None

    @property
    def namelist(self) -> str:
        """Path of the vmlinux."""
        return self._facts["namelist"]

    @property
    def crash_version(self) -> str:
        """Version of the running crash."""
        return self._facts["version"]

    @property
    def machine(self) -> str:
        """The architecture that this crash is for."""
        return self._facts["machine"]

    @property
    def minimal(self) -> bool:
        """Whether the session is a minimal one."""
        return self._is("minimal")

    @property
    def can_reinit(self) -> bool:
        """Whether in-process re-initialisation is possible from here."""
        return self._is("in_process")

    @property
    def in_rc_file(self) -> bool:
        """Whether the command is a line of a ``.crashrc``."""
        return self._is("rc_file")

    @property
    def phys_base(self) -> int | None:
        """The session's phys_base in bytes, signed."""
        return self._number("phys_base")

    @property
    def kimage_voffset(self) -> int | None:
        """The session's ``vaddr - paddr`` of the kernel image, modulo 2^64."""
        value = self._number("kimage_voffset")
        return None if value is None else value & MASK64

    @property
    def kaslr_offset(self) -> int | None:
        """The session's KASLR offset in bytes."""
        return self._number("kaslr_offset")

    @property
    def settings(self) -> Settings:
        """What ``set`` changed in this session."""
        return Settings(self._is("scroll"), int(self._facts["radix"]), int(self._facts["debug"]))

    @property
    def record(self) -> str:
        """The line that went with the last deed, or nothing."""
        return self._facts.get("record", "")

    @property
    def origin_waits(self) -> bool:
        """Whether the session that this one was made of is there to be gone back to."""
        return self._is("origin_waits")

    @property
    def on_terminal(self) -> bool:
        """Whether what is written shows on a terminal at once."""
        return os.isatty(self._output)

    def read_phys(self, paddr: int, size: int) -> bytes | None:
        """Guest-physical memory as crash reads it, or None where it can't."""
        return self._read(Request.READ, paddr, size)

    def read_virt(self, vaddr: int, size: int) -> bytes | None:
        """The guest kernel's memory as the session translates it, or None where it can't."""
        return self._read(Request.READ_VIRTUAL, vaddr, size)

    def _read(self, request: Request, address: int, size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            at, part = address + len(data), min(size - len(data), MAX_READ)
            read = self._line.ask(request, struct.pack("=QI", at, part))
            if read is None:
                return None
            data += read
        return bytes(data)

    def write(self, text: str) -> None:
        """Print to where crash's output goes."""
        write_all(self._output, _printed(text))

    def message(self, line: str) -> None:
        """Print one line in crash's error style."""
        self._line.ask(Request.MESSAGE, _printed(line))

    def reinit(self, phys_base: int, kaslr_offset: int, limit: float, record: str) -> None:
        """Have the session re-initialised when the command has ended."""
        values = struct.pack("=qqI", phys_base, kaslr_offset, round(limit * 1000))
        self._line.ask(Request.APPLY, values + record.encode("ascii"))

    def restart(self, args: Sequence[str], script: bytes, record: str) -> None:
        """Have crash started again when the command has ended."""
        raw = b"".join(_raw(arg) + b"\0" for arg in args)
        kept = record.encode("ascii") + b"\0"
        sizes = struct.pack("=II", len(raw), len(kept))
        if self._line.ask(Request.RESTART, sizes + raw + kept + script) is None:
            raise SessionError("crash can't be started again from here")

    def go_back(self, record: str) -> None:
        """Have the session that this one was made of go on when the command has ended."""
        self._line.ask(Request.GO_BACK, record.encode("ascii"))

    def command_line(self) -> list[str]:
        """The argv of the session's process."""
        return list(self._arguments)

    def pending_script(self) -> bytes:
        """The rest of the input file that the command comes from."""
        script = self._line.ask(Request.SCRIPT)
        if script is None:
            raise SessionError("the input file can't be carried over to a new session")
        return script

    def extensions(self) -> list[str]:
        """File names of the loaded extensions, oldest first."""
        return list(self._extensions)
