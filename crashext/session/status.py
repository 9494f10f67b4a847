# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session is, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..text import hex64, printable
from .applied import Record, Values, read_record, values_of

if TYPE_CHECKING:
    from .host import Host


@dataclass(frozen=True, slots=True)
class Status:
    """The JSON contract of ``qemufix status`` (docs/json.md).

    ``banner`` is whether the vmlinux's own banner is where the session's values put it: None
    where there is nothing to compare. ``undo`` is how ``physbase --undo`` would go about it.
    """

    path: str | None
    vmlinux: str
    crash: str
    minimal: bool
    now: Values
    record: Record | None
    banner: bool | None
    undo: str | None

    @property
    def state(self) -> str:
        """``none``, ``applied`` or ``undone``."""
        if self.record is None:
            return "none"
        return "applied" if self.record.undone is None else "undone"

    @property
    def kept(self) -> bool | None:
        """Whether the session still has the values that it was given; None where none were."""
        if self.record is None or self.state != "applied":
            return None
        return self.record.after == self.now

    def to_json(self) -> dict[str, Any]:
        """See docs/json.md."""
        record = self.record
        return {
            "schema": 1,
            "path": None if self.path is None else printable(self.path),
            "vmlinux": printable(self.vmlinux),
            "crash": printable(self.crash),
            "minimal": self.minimal,
            "state": self.state,
            "now": _values(self.now),
            "banner": self.banner,
            "kept": self.kept,
            "undo": self.undo,
            "applied": None if record is None else _record(record),
        }


def look(host: Host) -> Status:
    """The session's status, without a search: one read of memory.

    Raises:
        SessionError: what the session keeps is no record of ours.
        OSError: the vmlinux can't be read.
    """
    record = read_record(host)
    return Status(
        host.dumpfile, host.namelist, host.crash_version, host.minimal, values_of(host), record,
        _banner(host), _undo(host, record),
    )  # fmt: skip


def _banner(host: Host) -> bool | None:
    from ..symbols.vmlinux import Vmlinux

    if host.dumpfile is None or not host.namelist:
        return None
    with Vmlinux(host.namelist) as vmlinux:
        banner, linked = vmlinux.banner, vmlinux.symbol("linux_banner")
    if not banner or linked is None:
        return None
    return host.read_virt(linked + (host.kaslr_offset or 0), len(banner)) == banner


def _undo(host: Host, record: Record | None) -> str | None:
    """As crashext.session.undo does it."""
    if record is None or record.undone is not None:
        return None
    if host.origin_waits:
        return "in process"
    return "restart" if record.way == "restart" and record.command_line else None


def _values(values: Values) -> dict[str, str | None]:
    return {
        name: None if value is None else hex64(value) for name, value in values._asdict().items()
    }


def _record(record: Record) -> dict[str, Any]:
    return {
        "way": record.way,
        "when": record.when,
        "undone": record.undone,
        "before": _values(record.before),
        "after": _values(record.after),
        "minimal": record.minimal,
        "shown": [printable(path) for path in record.shown],
        "release": None if record.release is None else printable(record.release),
        "build_id": None if record.build_id is None else printable(record.build_id),
        "confidence": printable(record.confidence),
        "confirmed_by": [printable(name) for name in record.confirmed_by],
    }
