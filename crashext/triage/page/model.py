# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says above its table, from queries of the store; the template escapes it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ...report.page.words import short
from ...text import counted, size_text
from ..groups import incidents
from ..row import VERDICTS
from ..store import Store

_MOST = 200  # rows of a table; what is beyond is counted
_NAME, _SENTENCE = 80, 300  # characters
LABELS = {verdict: verdict.replace("_", " ") for verdict in VERDICTS}

_TOTALS = """
SELECT count(*), sum(panic IS NOT NULL), coalesce(sum(size), 0), coalesce(sum(ram_bytes), 0),
       coalesce(sum(bytes_read), 0), coalesce(sum(requests), 0), coalesce(sum(seconds), 0),
       coalesce(max(seconds), 0), count(DISTINCT hostname), max(seen) FROM dumps
"""
_KERNELS = """
SELECT release, build_id, max(arch), count(*), sum(panic IS NOT NULL), sum(verdict = 'openable'),
       sum(verdict = 'needs_repair') FROM dumps WHERE release IS NOT NULL
GROUP BY build_id, release ORDER BY count(*) DESC, release, build_id
"""
_FAILURES = """
SELECT verdict, failure, min(reason), count(*), min(url), sort_of(reason) AS sort FROM dumps
WHERE verdict IN ('failed', 'damaged', 'uncertain')
GROUP BY verdict, failure, sort ORDER BY count(*) DESC, verdict, sort
"""
_FORMATS = """
SELECT format, count(*), coalesce(sum(size), 0), coalesce(sum(ram_bytes), 0), sum(bytes_read),
       sum(requests), sum(seconds) FROM dumps WHERE format IS NOT NULL
GROUP BY format ORDER BY count(*) DESC
"""
_SPARE = """
SELECT count(*), coalesce(sum(more), 0), coalesce(sum(freed), 0) FROM (
  SELECT count(*) - 1 AS more, sum(size) - min(size) AS freed FROM dumps
  WHERE build_id IS NOT NULL AND boot_time IS NOT NULL AND log_digest IS NOT NULL
  GROUP BY build_id, boot_time, uptime, log_digest HAVING count(*) > 1)
"""


class Part(NamedTuple):
    """The first rows of a table, and how many more there are."""

    rows: list[dict[str, Any]]
    more: int
    total: int


def model_of(store: Store) -> dict[str, Any]:
    """All but the rows of the dumps."""
    (totals,) = store.query(_TOTALS)
    dumps, panics, size, ram, read, requests, seconds, slowest, hosts, seen = map(_number, totals)
    happened = _incidents(store)
    return {
        "dumps": dumps,
        "headline": _headline(dumps, panics, hosts, happened.total),
        "verdicts": _verdicts(store),
        "incidents": happened,
        "kernels": _kernels(store),
        "failures": _failures(store),
        "formats": _formats(store),
        "spare": _spare(store),
        "size": size_text(size),
        "ram": size_text(ram),
        "read": size_text(read),
        "requests": f"{requests:,}",
        "seconds": duration(seconds),
        "each": f"{seconds / max(dumps, 1):.2f} s",
        "slowest": f"{slowest:.1f} s",
        "seen": str(seen or ""),
    }


def duration(seconds: float) -> str:
    """A time in words, to two places: ``3 h 20 min``."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def only(label: str, **values: object) -> dict[str, str]:
    """What a button that narrows the table carries."""
    pairs = [[name, value] for name, value in values.items()]
    return {"label": short(label, _NAME), "pairs": json.dumps(pairs)}


def _number(value: Any) -> Any:
    return 0 if value is None else value


def _headline(dumps: int, panics: int, hosts: int, different: int) -> dict[str, Any]:
    title = f"{dumps:,} {'dump' if dumps == 1 else 'dumps'}"
    if hosts:
        title += f" of {hosts:,} {'host' if hosts == 1 else 'hosts'}"
    if not panics:
        return {"tone": "calm", "title": title, "line": "No panic or fault in any log."}
    of = "all of one incident" if different == 1 and panics > 1 else f"{different:,} incidents"
    line = f"{panics:,} tell of a panic or a fault: {of}."
    return {"tone": "bad", "title": title, "line": line if panics > 1 else "One tells of a panic."}


def _verdicts(store: Store) -> list[dict[str, Any]]:
    found = store.query("SELECT verdict, count(*) FROM dumps GROUP BY verdict")
    counts: dict[object, object] = dict(found)  # type: ignore[arg-type]
    return [
        {"verdict": each, "label": LABELS[each], "count": f"{counts[each]:,}",
         "only": only(LABELS[each], verdict=each)}
        for each in VERDICTS if each in counts
    ]  # fmt: skip


def _incidents(store: Store) -> Part:
    every = incidents(store, _MOST)
    rows = [
        {
            "where": short(each.panic_function or "", _NAME),
            "panic": short(each.panic, _SENTENCE),
            "release": short(each.release or "unknown", _NAME),
            "build": short(each.kernel or "", 12) if each.kernel != each.release else "",
            "dumps": f"{each.dumps:,}",
            "hosts": f"{each.hosts:,}",
            "first": each.first_seen or "not known",
            "last": each.last_seen or "",
            "only": only(
                f"{each.panic_function or each.panic}, {each.release}",
                kernel=each.kernel, stop=each.panic_function or each.panic,
            ),
        }
        for each in every
    ]  # fmt: skip
    return _part(rows, _count(store, "SELECT count(*) FROM incidents"))


def _kernels(store: Store) -> Part:
    rows = [
        {
            "release": short(str(release), _NAME),
            "build": str(build or "none known"),
            "arch": str(arch or ""),
            "dumps": f"{dumps:,}",
            "panics": f"{panics:,}",
            "openable": f"{openable:,}",
            "repair": f"{repair:,}",
            "only": only(str(release), release=release, build_id=build),
        }
        for release, build, arch, dumps, panics, openable, repair in _first(store, _KERNELS)
    ]
    return _part(rows, _count(store, f"SELECT count(*) FROM ({_KERNELS})"))


def _failures(store: Store) -> Part:
    rows = [
        {
            "what": LABELS[verdict] + (f": {failure}" if failure else ""),
            "css": verdict,
            "reason": short(reason or "", _SENTENCE),
            "dumps": f"{dumps:,}",
            "example": str(url),
            "only": only(f"{LABELS[verdict]}: {reason}", verdict=verdict, failure=failure,
                         sort=sort or None),
        }
        for verdict, failure, reason, dumps, url, sort in _first(store, _FAILURES)
    ]  # fmt: skip
    return _part(rows, _count(store, f"SELECT count(*) FROM ({_FAILURES})"))


def _formats(store: Store) -> list[dict[str, str]]:
    return [
        {
            "format": str(name),
            "dumps": f"{dumps:,}",
            "size": size_text(size),
            "ram": size_text(ram),
            "read": f"{size_text(read // dumps)} in {requests / dumps:.0f} requests",
            "seconds": f"{seconds / dumps:.2f} s",
        }
        for name, dumps, size, ram, read, requests, seconds in _first(store, _FORMATS)
    ]


def _spare(store: Store) -> str:
    ((moments, more, freed),) = _first(store, _SPARE)
    if not moments:
        return ""
    return (
        f"{counted(more, 'dump')} of a guest and a moment that another has, too; "
        f"one of each kept would free {size_text(freed)}"
    )


def _first(store: Store, sql: str) -> list[Any]:
    return store.query(f"{sql} LIMIT {_MOST}")


def _count(store: Store, sql: str) -> int:
    ((count,),) = store.query(sql)
    return int(str(count))


def _part(rows: list[dict[str, Any]], count: int) -> Part:
    return Part(rows, count - len(rows), count)
