# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of one dump: plain data, which goes to another process, into JSON and a table."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Verdict = Literal["openable", "needs_repair", "uncertain", "damaged", "not_a_dump", "failed"]
"""Tools take it as it is; they do after a repair; its kernel isn't found for certain; a part of
it is missing or contradicts itself; another kind of file; nothing was learned."""

Failure = Literal["unreadable", "unsupported", "limit", "changed", "killed", "bug"]

Repaired = Literal["in_place", "beside", "not_needed", "refused"]

VERDICTS: tuple[Verdict, ...] = (
    *("openable", "needs_repair", "uncertain", "damaged", "failed", "not_a_dump"),
)
"""In the order of a summary."""

FINE: tuple[Verdict, ...] = ("openable", "needs_repair")
"""Of a dump that work can go on with."""

PASSING: tuple[Failure, ...] = ("unreadable", "limit", "changed", "killed")
"""Reasons that may be gone another time."""


class Row(NamedTuple):
    """One dump. Whatever a guest wrote is escaped; what isn't known is None.

    Attributes:
        url: a path, or a URL of fsspec's.
        identity: size and mtime or ETag: what tells this content from a later one.
        size: of the file, in bytes.
        format, compression, arch, origin, ram_bytes: as in ``detect --json``.
        verdict, failure, reason: what came of it, why nothing did, in words.
        changes: what a repair would change.
        release, build_id: of the kernel.
        confidence, phys_base, kaslr_offset: as in ``physbase --json``.
        hostname, boot_time, uptime: ISO 8601 in UTC, and seconds.
        panic, panic_function: the last words of the kernel, and where it stopped.
        last_log: its last message.
        log_digest: of its last messages and their times.
        bytes_read, requests: what looking at it cost the storage.
        seconds: what it took.
        repaired, repaired_to, repair_note: what was done where that was asked for, the file
            that is right now, and what was changed or why not.
    """

    url: str
    identity: str | None = None
    size: int | None = None
    format: str | None = None
    compression: str | None = None
    arch: str | None = None
    origin: str | None = None
    ram_bytes: int | None = None
    verdict: Verdict = "failed"
    failure: Failure | None = None
    reason: str = ""
    changes: tuple[str, ...] = ()
    release: str | None = None
    build_id: str | None = None
    confidence: str = "none"
    phys_base: str | None = None
    kaslr_offset: str | None = None
    hostname: str | None = None
    boot_time: str | None = None
    uptime: float | None = None
    panic: str | None = None
    panic_function: str | None = None
    last_log: str | None = None
    log_digest: str | None = None
    bytes_read: int = 0
    requests: int = 0
    seconds: float = 0.0
    repaired: Repaired | None = None
    repaired_to: str | None = None
    repair_note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The dict that ``triage --json`` prints in a line (schema 1)."""
        return {"schema": 1, **self._asdict(), "changes": list(self.changes)}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Row:
        """The row that such a dict was made of."""
        kept = {name: facts[name] for name in cls._fields if name in facts}
        return cls(**kept | {"changes": tuple(kept.get("changes", ()))})
