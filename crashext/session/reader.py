# SPDX-License-Identifier: GPL-3.0-or-later
"""The session's dump: by our own reader, or by crash for what only crash knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arch import CRASH_MACHINES
from ..dumps.base import Dump, Range
from ..errors import MissingMemory, SessionError, UnknownFormat, UnsupportedDump

if TYPE_CHECKING:
    from .host import Host

_PAGE = 4096
#: How the files begin that crash takes several of: diskdump.h, and makedumpfile's flattened form.
_SPLIT_MAGICS = (b"KDUMP   ", b"makedump")
#: Crash has no list of the RAM it can read, so memory is probed at this step, up
#: to a hole of this size (QEMU's PCI hole below 4 GiB is at most 2 GiB).
_PROBE_STEP = 2 << 20
_PROBE_HOLE = 4 << 30


def open_session_dump(host: Host, **limits: Any) -> Dump:
    """The dump of the session; ``limits`` are those of :func:`crashext.dumps.open_dump`.

    Raises:
        SessionError: the session is on a live system, or crash reads nothing.
        DumpError: the file is of a format we know, but damaged.
    """
    from ..dumps import open_dump

    if host.dumpfile is None:
        raise SessionError("this session is on a live system; there is no dump to look at")
    try:
        return open_dump(*dump_files(host), **limits)
    except (UnknownFormat, UnsupportedDump) as problem:
        ram = _probe(host)
        if not ram:
            raise
        return CrashDump(host, ram, str(problem))


def dump_files(host: Host) -> list[str]:
    """The dump's file, or all files of a split kdump: crash itself names only the last."""
    dumpfile = host.dumpfile or ""
    start = _start(dumpfile)
    if not start.startswith(_SPLIT_MAGICS):
        return [dumpfile]
    given = dict.fromkeys(word for word in host.command_line()[1:] if _start(word) == start)
    return list(given) or [dumpfile]


def _start(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(8)
    except OSError:
        return b""


def _probe(host: Host) -> tuple[Range, ...]:
    """RAM ranges in steps of 2 MiB, by asking crash for a page of each."""
    ranges: list[Range] = []
    at = end = 0
    while at - end < _PROBE_HOLE:
        if host.read_phys(at, _PAGE) is not None:
            if ranges and ranges[-1].end == at:
                ranges[-1] = Range(ranges[-1].start, at + _PROBE_STEP)
            else:
                ranges.append(Range(at, at + _PROBE_STEP))
            end = at + _PROBE_STEP
        at += _PROBE_STEP
    return tuple(ranges)


class CrashDump(Dump):
    """A dump in a format that we don't read, through crash's own physical reads."""

    format = "other"
    byte_order = "little"
    page_size = _PAGE
    header = None
    notes = ()
    vmcoreinfo = None
    complete = True

    def __init__(self, host: Host, ram: tuple[Range, ...], why: str) -> None:
        self._host = host
        self.path = host.dumpfile or ""
        self.arch = CRASH_MACHINES.get(host.machine, "unknown")
        self.ram = ram
        self.warnings = (f"{why}; read through crash instead",)

    def read(self, paddr: int, size: int) -> bytes:
        """Guest-physical memory; raises MissingMemory where crash reads none."""
        data = self._host.read_phys(paddr, size)
        if data is None:
            raise MissingMemory(paddr=paddr, path=self.path)
        return data

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The start of each page that crash can read."""
        for ram in self.ram:
            for paddr in range(ram.start, ram.end, _PAGE):
                head = self._host.read_phys(paddr, size)
                if head is not None and any(head):
                    yield paddr, head

    def close(self) -> None:
        """Nothing of ours is open."""
