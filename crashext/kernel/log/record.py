# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel log is made of, whichever kernel wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..machine import SECOND

#: include/linux/kern_levels.h, as dmesg(1) names them.
LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")

_CPU = 1 << 31
_NO_DEVICE: Mapping[str, str] = MappingProxyType({})


class Record(NamedTuple):
    """One message.

    Attributes:
        text: as the kernel has it, without its line end; may hold several lines and any byte.
        nanoseconds: since boot, by the local clock; None before printk kept it apart.
        seq: its number since boot; None where records are not numbered.
        level: 0 (emergency) to 7 (debug); None where it isn't told.
        facility: 0 is the kernel itself (syslog(3)); None where it isn't told.
        caller: who printed it, ``printk_caller_id()``: a task, or a CPU with the top bit set.
        device: ``SUBSYSTEM`` and ``DEVICE`` where a driver named one.
    """

    text: bytes
    nanoseconds: int | None = None
    seq: int | None = None
    level: int | None = None
    facility: int | None = None
    caller: int | None = None
    device: Mapping[str, str] = _NO_DEVICE

    @property
    def time(self) -> str:
        """The time as the kernel prints it: ``   12.345678``, cut off; "" where there is none."""
        if self.nanoseconds is None:
            return ""
        seconds, rest = divmod(self.nanoseconds, SECOND)
        return f"{seconds:5d}.{rest // 1000:06d}"

    @property
    def who(self) -> str | None:
        """The caller as the kernel prints it: ``T1`` is task 1, ``C0`` CPU 0."""
        if self.caller is None:
            return None
        return f"C{self.caller & ~_CPU}" if self.caller & _CPU else f"T{self.caller}"


class Log(NamedTuple):
    """All that memory has of a kernel's log.

    Attributes:
        records: the oldest first.
        kind: how the kernel keeps it: ``ring`` (5.10), ``records`` (3.5 to 5.9), ``text``.
        problems: in words what is damaged, or was being written at that moment.
        vaddr: where the text lies, run-time virtual; None where not even that is known.
        size: bytes there.
    """

    records: tuple[Record, ...]
    kind: str
    problems: tuple[str, ...] = ()
    vaddr: int | None = None
    size: int = 0
