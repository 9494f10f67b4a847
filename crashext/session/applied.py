# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done to a session, as the session keeps it for the commands that come later.

It is a line of JSON, which goes with the request and comes back with the session's facts
(bridge/record.c keeps it in the environment, so it outlives a restart). Whoever starts crash
may have put anything there: it is checked before it is believed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import SessionError

if TYPE_CHECKING:
    from ..locate.result import Location
    from .host import Host

#: Longer ones are not kept: the environment takes 128 KiB (MAX_ARG_STRLEN, binfmts.h).
MAX_RECORD = 1 << 16
_SCHEMA = 1

Way = Literal["in process", "restart"]


class Values(NamedTuple):
    """What a session translates with, bytes; None where its crash has no such value."""

    phys_base: int | None
    kimage_voffset: int | None
    kaslr_offset: int | None


def values_of(host: Host) -> Values:
    """What the session has now."""
    return Values(host.phys_base, host.kimage_voffset, host.kaslr_offset)


@dataclass(frozen=True, slots=True)
class Record:
    """The last deed.

    ``undone`` is when it was taken back, ``when`` when it was done: ISO 8601, UTC. ``minimal``
    is whether the session was one before; ``command_line`` what it had been started with;
    ``shown`` the files that crash is given in place of the dump, repaired.
    """

    way: Way
    when: str
    undone: str | None
    before: Values
    after: Values
    minimal: bool
    command_line: tuple[str, ...]
    shown: tuple[str, ...]
    release: str | None
    build_id: str | None
    confidence: str
    confirmed_by: tuple[str, ...]

    def packed(self) -> str:
        """The line; where it would be too long, without the command line."""
        line = json.dumps({"schema": _SCHEMA, **asdict(self)})
        if len(line) <= MAX_RECORD:
            return line
        return replace(self, command_line=()).packed() if self.command_line else ""

    def taken_back(self) -> Record:
        """The same after it was undone just now."""
        return replace(self, undone=now())


def now() -> str:
    """The time of day, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def record_of(host: Host, location: Location, way: Way, shown: tuple[str, ...] = ()) -> Record:
    """What is about to be done."""
    after = Values(
        location.phys_base,
        None if host.kimage_voffset is None else location.kimage_voffset,
        location.kaslr_offset,
    )
    return Record(
        way, now(), None, values_of(host), after, host.minimal, tuple(host.command_line()), shown,
        location.release, location.build_id, location.confidence, location.confirmed_by,
    )  # fmt: skip


def read_record(host: Host) -> Record | None:
    """The session's record; None where nothing was done to it.

    Raises:
        SessionError: what is there is no record of ours.
    """
    if not host.record:
        return None
    try:
        return _record(json.loads(host.record))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise SessionError("what the session keeps of an --apply is damaged") from None


def _record(raw: Any) -> Record:
    if set(raw) != {"schema", *Record.__slots__} or raw.pop("schema") != _SCHEMA:
        raise ValueError
    return Record(**{name: _READ[name](value) for name, value in raw.items()})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not -(1 << 64) < value < 1 << 64:
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _time(value: Any) -> str:
    if datetime.fromisoformat(_text(value)).tzinfo is None:
        raise ValueError
    return str(value)


def _way(value: Any) -> Way:
    if value not in ("in process", "restart"):
        raise ValueError
    way: Way = value
    return way


def _maybe(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _each(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_text, value))


def _values(value: Any) -> Values:
    if not isinstance(value, list):
        raise TypeError
    return Values(*map(_maybe(_number), value))


_READ: dict[str, Callable[[Any], Any]] = {
    "way": _way,
    "when": _time,
    "undone": _maybe(_time),
    "before": _values,
    "after": _values,
    "minimal": _flag,
    "command_line": _each,
    "shown": _each,
    "release": _maybe(_text),
    "build_id": _maybe(_text),
    "confidence": _text,
    "confirmed_by": _each,
}
