# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of each dump, in an SQLite file: a run that was cut short goes on from there."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from ..errors import UnreadableDump
from .places.find import Item
from .row import PASSING, Row

SCHEMA = 1
"""``PRAGMA user_version`` of the file."""

_ID = 0x716D7478  # PRAGMA application_id: "qmtx"
_TYPES = {"size": "INTEGER", "ram_bytes": "INTEGER", "bytes_read": "INTEGER",
          "requests": "INTEGER", "uptime": "REAL", "seconds": "REAL"}  # fmt: skip
_COLUMNS = ", ".join(
    f"{name} {_TYPES.get(name, 'TEXT')}{' PRIMARY KEY' if name == 'url' else ''}"
    for name in Row._fields
)
_CREATE = f"""
CREATE TABLE dumps ({_COLUMNS}, seen TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')))
  WITHOUT ROWID;
CREATE INDEX by_kernel ON dumps (build_id, boot_time);
CREATE INDEX by_panic ON dumps (panic_function, release);
CREATE VIEW incidents AS
  SELECT coalesce(build_id, release) AS kernel, max(release) AS release, panic_function,
         min(panic) AS panic, count(*) AS dumps, count(DISTINCT hostname) AS hosts,
         min(datetime(boot_time, uptime || ' seconds')) AS first_seen,
         max(datetime(boot_time, uptime || ' seconds')) AS last_seen
  FROM dumps WHERE panic IS NOT NULL
  GROUP BY coalesce(build_id, release), coalesce(panic_function, panic)
  ORDER BY dumps DESC;
CREATE VIEW duplicates AS
  SELECT build_id, boot_time, uptime, log_digest, count(*) AS dumps, json_group_array(url) AS urls
  FROM dumps WHERE build_id IS NOT NULL AND boot_time IS NOT NULL AND log_digest IS NOT NULL
  GROUP BY build_id, boot_time, uptime, log_digest HAVING count(*) > 1;
PRAGMA application_id = {_ID};
PRAGMA user_version = {SCHEMA};
"""
_ASKED = """
CREATE TEMP TABLE asked (number INTEGER PRIMARY KEY, url TEXT UNIQUE, identity TEXT);
"""
_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+")
_AT_ONCE = 1000  # rows that are taken out at a time
_PUT = (
    f"INSERT OR REPLACE INTO dumps ({', '.join(Row._fields)}) "
    f"VALUES ({', '.join('?' * len(Row._fields))})"
)


def sort_of(reason: str | None) -> str | None:
    """A reason without its numbers, by which dumps differ that failed alike."""
    return reason and _NUMBER.sub("#", reason)


class Store:
    """One row for each dump; each is on disk before the next is asked for."""

    def __init__(self, path: str = "") -> None:
        """Open or make the file; without a path one that is gone afterwards.

        Raises:
            UnreadableDump: it is no such file, of a later version, or can't be written.
        """
        self._path = path
        try:
            self._base = sqlite3.connect(path, timeout=30)
            self._prepare()
            self._base.executescript(_ASKED)
            self._base.create_function("sort_of", 1, sort_of, deterministic=True)
        except sqlite3.Error as error:
            raise UnreadableDump(f"can't be used as a store: {error}", path=path) from None

    def _prepare(self) -> None:
        version = self._base.execute("PRAGMA user_version").fetchone()[0]
        mark = self._base.execute("PRAGMA application_id").fetchone()[0]
        empty = not self._base.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not empty and (mark != _ID or version != SCHEMA):
            what = f"it has schema {version}, not {SCHEMA}" if mark == _ID else "it is another's"
            raise sqlite3.DatabaseError(what)
        if self._path:
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
        if empty:
            self._base.executescript(f"BEGIN; {_CREATE} COMMIT;")

    def put(self, row: Row) -> None:
        """Keep a row, in place of an earlier one of the same URL."""
        self.put_all([row])

    def put_all(self, rows: Iterable[Row]) -> None:
        """Keep rows, all or none."""
        values = (row._replace(changes=json.dumps(row.changes)) for row in rows)  # type: ignore[arg-type]
        try:
            with self._base:
                self._base.executemany(_PUT, values)
        except sqlite3.Error as error:
            raise UnreadableDump(f"can't be written: {error}", path=self._path) from None

    def ask(self, items: Iterable[Item]) -> int:
        """Note what this run is about, each URL once; returns how many there are."""
        with self._base:
            self._base.executemany(
                "INSERT OR IGNORE INTO asked (url, identity) VALUES (?, ?)", items
            )
        return int(self._base.execute("SELECT count(*) FROM asked").fetchone()[0])

    def asked(self) -> Iterator[Item]:
        """What was noted, in order."""
        last = 0
        while True:
            rows = self._base.execute(
                "SELECT number, url, identity FROM asked WHERE number > ? ORDER BY number LIMIT ?",
                (last, _AT_ONCE),
            ).fetchall()
            if not rows:
                return
            for last, *item in rows:  # noqa: B007
                yield Item(*item)

    def known(self, item: Item) -> Row | None:
        """What is known of this very content; None where it is to be looked at (again)."""
        if item.identity is None:
            return None
        found = next(self._rows("WHERE url = ? AND identity = ?", *item), None)
        return None if found is None or found.failure in PASSING else found

    def rows(self) -> Iterator[Row]:
        """All rows, by URL."""
        return self._rows("ORDER BY url")

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """What a query gives."""
        return self._base.execute(sql).fetchall()

    def _rows(self, where: str, *values: str | None) -> Iterator[Row]:
        asked = f"SELECT {', '.join(Row._fields)} FROM dumps {where}"
        for each in self._base.execute(asked, values):
            facts = dict(zip(Row._fields, each, strict=True))
            yield Row.of(facts | {"changes": json.loads(facts["changes"])})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._base.close()
