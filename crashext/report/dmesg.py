# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel log as lines and as JSON: the contract of ``dmesg``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..kernel.log import LEVELS, Log, Record
from ..text import printable


class Dmesg(NamedTuple):
    """The log of a dump's kernel.

    Attributes:
        path: the dump.
        release: of the kernel; None where none was found.
        confidence: how sure it is that this is the kernel that ran, as ``physbase`` has it.
        log: None where it can't be read, and ``reason`` says why.
        reason: in words.
        boot_time: nanoseconds of the Unix epoch; None where it isn't known or wasn't asked for.
        levels: of the messages wanted; None for all.
    """

    path: str
    release: str | None
    confidence: str
    log: Log | None = None
    reason: str = ""
    boot_time: int | None = None
    levels: frozenset[int] | None = None

    @property
    def records(self) -> Iterable[Record]:
        """The messages of the levels asked for, the oldest first."""
        every = self.log.records if self.log else ()
        return every if self.levels is None else (r for r in every if r.level in self.levels)

    def lines(self) -> Iterator[str]:
        """As a console shows them: each line of a message with its time, escaped."""
        for record in self.records:
            before = self._time(record)
            for line in record.text.split(b"\n"):
                yield before + printable(line)

    def to_json(self) -> dict[str, Any]:
        """The dict that ``--json`` prints (schema 1)."""
        log = self.log
        return {
            "schema": 1,
            "path": self.path,
            "release": None if self.release is None else printable(self.release),
            "confidence": self.confidence,
            "reason": printable(self.reason),
            "kind": log.kind if log else None,
            "boot_time": None if self.boot_time is None else _utc(self.boot_time).isoformat(),
            "problems": [printable(each) for each in log.problems] if log else [],
            "records": [_record(each) for each in self.records],
        }

    def _time(self, record: Record) -> str:
        if record.nanoseconds is None:
            return ""
        if self.boot_time is not None:
            return f"[{_utc(self.boot_time + record.nanoseconds):%a %b %e %H:%M:%S %Y}] "
        return f"[{record.time}] "


def _utc(nanoseconds: int) -> datetime:
    """UTC: the guest's time zone is its programs', not its kernel's."""
    limited = min(nanoseconds // 1000, _LAST_MICROSECOND)
    return datetime.fromtimestamp(limited // 1_000_000, UTC).replace(
        microsecond=limited % 1_000_000
    )


_LAST_MICROSECOND = 253402300799 * 1_000_000  # the end of the year 9999


def _record(record: Record) -> dict[str, Any]:
    facility = record.facility
    return {
        "seq": record.seq,
        "nanoseconds": record.nanoseconds,
        "level": None if record.level is None else LEVELS[record.level],
        "facility": facility,
        "caller": record.who,
        "device": {printable(key): printable(value) for key, value in record.device.items()},
        "text": "\n".join(printable(line) for line in record.text.split(b"\n")),
    }
