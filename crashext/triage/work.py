# SPDX-License-Identifier: GPL-3.0-or-later
"""One dump: what it is, where its kernel is, what happened; as a row, whatever happens."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from ..budget import Budget
from ..dumps import open_image
from ..dumps.base import Dump
from ..dumps.marks import use_threads
from ..errors import (
    CorruptDump,
    CrashExtError,
    NotCertain,
    OverBudget,
    RepairError,
    UnknownFormat,
    UnreadableDump,
    UnsupportedDump,
)
from ..kernel.machine import SECOND
from ..locate import Found
from ..text import hex64, printable
from .children import Children
from .limits import Limits
from .load import load
from .places.find import is_url, local_path, scheme_of
from .places.meter import Meter, MeteredFile
from .places.remote import RemoteFile
from .row import Failure, Row, Verdict

_TAIL = 32  # messages that the digest of a log is of
_LONGEST = 1000  # characters of a text
_MEANINGS: tuple[tuple[type[CrashExtError], Verdict, Failure | None], ...] = (
    (UnknownFormat, "not_a_dump", None),
    (UnsupportedDump, "failed", "unsupported"),
    (CorruptDump, "damaged", None),
    (OverBudget, "failed", "limit"),
    (UnreadableDump, "failed", "unreadable"),
)


def row_of(url: str, limits: Limits = Limits()) -> Row:  # noqa: B008
    """Look at the dump at ``url``, in a child process that the limits hold.

    It raises nothing of a dump's or a storage's.
    """
    start = time.perf_counter()
    load(scheme_of(url))
    ended = children.ask(url, limits)
    if ended.failure is not None:
        return failed(url, ended.failure, ended.reason, time.perf_counter() - start)
    return Row.of(json.loads(ended.data))._replace(seconds=round(time.perf_counter() - start, 3))


def failed(url: str, failure: Failure, reason: str, seconds: float = 0.0) -> Row:
    """The row of a dump of which nothing was learned."""
    return Row(url, failure=failure, reason=reason, seconds=round(seconds, 3))


def _as_bytes(url: str, limits: Limits) -> bytes:
    use_threads(1)  # the cores have other dumps; and a thread that gets no memory hangs
    return json.dumps(examine(url, limits).to_json()).encode()


children = Children(_as_bytes)


def examine(url: str, limits: Limits = Limits()) -> Row:  # noqa: B008
    """Likewise in this process: only the dump's size and the storage limit what it takes.

    Raises:
        MemoryError: this process may have no more.
    """
    start, meter, row = time.perf_counter(), Meter(), Row(url)
    try:
        source = source_of(url, limits, meter)
        row = row._replace(identity=source.content, size=source.size)
        told = _told(source)
        # What was read of a file that changed belongs to no dump at all.
        if source.changed():
            told = {"failure": "changed", "reason": "the file changed while it was read"}
    except Exception as error:
        told = _of_error(error, url)
    return row._replace(
        **told,
        bytes_read=meter.bytes_read,
        requests=meter.requests,
        seconds=round(time.perf_counter() - start, 3),
    )


def source_of(url: str, limits: Limits, meter: Meter | None = None) -> MeteredFile | RemoteFile:
    """The file at ``url``, open; what it costs is counted.

    Raises:
        UnreadableDump: it can't be opened.
    """
    budget, meter = Budget(limits.tables), meter or Meter()
    if is_url(url):
        return RemoteFile(url, budget, meter, limits)
    return MeteredFile(local_path(url), budget, meter)


def _told(source: MeteredFile | RemoteFile) -> dict[str, Any]:
    """What the file says; an error of its contents is an answer, too."""
    from ..locate import finding

    seen: dict[str, Any] = {}
    try:
        with open_image(source) as dump:
            seen |= _of_file(dump)
            with finding(dump, sparing=source if source.costly else None) as found:
                seen |= _of_kernel(found)
                seen |= _verdict(dump, found)
    except Exception as error:
        seen |= _of_error(error, source.path)
    return seen


def _of_error(error: Exception, url: str) -> dict[str, Any]:
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, RuntimeError) and "new thread" in str(error):  # there is no stack for it
        raise MemoryError from error
    for kind, verdict, failure in _MEANINGS:
        if isinstance(error, kind):
            reason = str(error).removeprefix(f"{local_path(url)}: ")
            return {"verdict": verdict, "failure": failure, "reason": _short(reason)}
    reason = f"{type(error).__name__}: {error}"
    return {"verdict": "failed", "failure": "bug", "reason": _short(reason)}


def _of_file(dump: Dump) -> dict[str, Any]:
    from ..detect import detect

    return {
        "format": dump.format,
        "compression": dump.compression,
        "arch": dump.arch,
        "ram_bytes": dump.ram_bytes,
        "origin": detect(dump).origin,
    }


def _of_kernel(found: Found) -> dict[str, Any]:
    where = found.location
    told: dict[str, Any] = {
        "arch": where.arch,
        "confidence": where.confidence,
        "reason": _short(where.reason),
        "release": _text(where.release),
        "build_id": where.build_id,
        "phys_base": None if where.phys_base is None else hex64(where.phys_base),
        "kaslr_offset": None if where.kaslr_offset is None else hex64(where.kaslr_offset),
    }
    return told | _happened(found) if where.found else told


def _happened(found: Found) -> dict[str, Any]:
    from ..report.facts import gather_briefly
    from ..report.result import utc

    facts = gather_briefly(found)
    told: dict[str, Any] = {"hostname": _text(facts.hostname)}
    if facts.times:
        told["boot_time"] = utc(facts.times.boot).isoformat()
        told["uptime"] = round(facts.times.uptime / SECOND, 6)
    if facts.panic:
        told["panic"] = _text(facts.panic.message)
        told["panic_function"] = _text(facts.panic.function)
    if facts.log and facts.log.records:
        tail = facts.log.records[-_TAIL:]
        told["last_log"] = _text(tail[-1].text)
        digest = hashlib.sha256(repr([(r.nanoseconds, r.text) for r in tail]).encode())
        told["log_digest"] = digest.hexdigest()[:16]
    return told


def _verdict(dump: Dump, found: Found) -> dict[str, Any]:
    from ..repair.plan import plan_repair

    if not dump.complete:
        why = "; ".join(line.removeprefix(f"{dump.path}: ") for line in dump.warnings)
        return {"verdict": "damaged", "reason": _short(why)}
    try:
        plan = plan_repair(found, checked=False)
    except NotCertain as error:
        return {"verdict": "uncertain", "reason": _short(str(error))}
    except RepairError as error:
        return {"verdict": "needs_repair", "reason": _short(str(error))}
    changes = [change.what for change in plan.changes]
    if changes or plan.unmendable:
        reason = _short(plan.unmendable)
        return {"verdict": "needs_repair", "changes": tuple(changes), "reason": reason}
    return {"verdict": "openable"}


def _text(value: str | bytes | None) -> str | None:
    return None if value is None else _short(value)


def _short(text: str | bytes) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
