# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairing what was looked at: in place where that can be undone, else into a new file."""

from __future__ import annotations

import hashlib
import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import CrashExtError
from ..text import printable
from .limits import Limits, in_child
from .places.find import is_url, local_path
from .row import Repaired, Row

if TYPE_CHECKING:
    from ..repair.plan import Plan

_ALL = 1 << 62  # bytes: a file that is copied is read as a whole


class Outcome(NamedTuple):
    """What came of it: the same fields as a row's."""

    repaired: Repaired
    repaired_to: str | None = None
    repair_note: str = ""

    def of(self, row: Row) -> Row:
        """The row with it."""
        return row._replace(**self._asdict())


class Repairing(NamedTuple):
    """How dumps are repaired.

    ``to`` is the folder, or the URL of one, that repaired dumps are written into, none of them
    changed; None changes local files in place, and writes others beside themselves.
    """

    to: str | None = None

    def wanted(self, row: Row) -> bool:
        """Whether there is something left to do, or to say, of a row that an earlier run gave."""
        if row.repaired == "refused":
            return row.verdict == "needs_repair"
        return row.repaired is None and row.verdict != "not_a_dump"

    def prepare(self, url: str) -> str:
        """Undo a repair in place that was cut short; what speaks against that, or ""."""
        if self.to is not None or is_url(url):
            return ""
        from ..repair.course import roll_back

        try:
            roll_back(local_path(url))
        except (CrashExtError, OSError) as error:
            return str(error)
        return ""

    def outcome(self, row: Row, limits: Limits) -> Outcome | None:
        """Repair the dump of a row, if it is to be; None where no one would ask for that.

        It raises nothing of a dump's or a storage's.
        """
        if row.verdict == "not_a_dump":
            return None
        if row.verdict == "openable":
            return Outcome("not_needed")
        if row.verdict != "needs_repair":
            return Outcome("refused", None, row.reason)
        limits = replace(limits, read=_ALL)
        ended = in_child(partial(self._as_bytes, row, limits), limits)
        if ended.failure is None:
            return Outcome(*json.loads(ended.data))
        problem = self.prepare(row.url)
        return Outcome("refused", None, "; ".join(filter(None, (ended.reason, problem))))

    def target(self, row: Row) -> str:
        """The new file of this very content: never that of another."""
        folder, _, base = row.url.rstrip("/").rpartition("/")
        content = f"{row.url}\n{row.identity}".encode("utf-8", "surrogatepass")
        name = f"{base}.{hashlib.sha256(content).hexdigest()[:12]}.repaired"
        return f"{folder if self.to is None else self.to.rstrip('/')}/{name}"

    def _as_bytes(self, row: Row, limits: Limits) -> bytes:
        try:
            outcome = self._outcome(row, limits)
        except MemoryError:
            raise
        except Exception as error:  # each file system has its own
            why = str(error) or type(error).__name__
            outcome = Outcome("refused", None, printable(why.removeprefix(f"{row.url}: ")))
        return json.dumps(outcome).encode()

    def _outcome(self, row: Row, limits: Limits) -> Outcome:
        from ..dumps import open_image
        from ..locate import finding
        from ..repair.course import repair_in_place
        from ..repair.plan import plan_repair
        from .work import source_of

        source = source_of(row.url, limits)
        with open_image(source) as dump, finding(dump) as found:
            plan = plan_repair(found)
            note = printable("; ".join(change.what for change in plan.changes))
            if not self._in_place(row, plan):
                if source.content != row.identity:
                    return Outcome("refused", None, "the file has changed since it was looked at")
                return Outcome("beside", self._beside(row, plan), note)
            repair_in_place(plan)
            return Outcome("in_place", row.url, note)

    def _in_place(self, row: Row, plan: Plan) -> bool:
        return (
            self.to is None and not is_url(row.url) and not plan.unmendable
            and plan.file is not None
        )  # fmt: skip

    def _beside(self, row: Row, plan: Plan) -> str:
        """Write the new file, unless it is there already; its path or URL."""
        from ..repair.course import repair_into
        from .places.put import put

        signal.setitimer(signal.ITIMER_REAL, 0)  # a copy takes as long as the file is large
        target = self.target(row)
        if is_url(target):
            put(plan, target)
            return target
        path = Path(local_path(target))
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            repair_into(plan, str(path))
        return target
