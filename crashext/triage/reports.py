# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of each dump, in a folder: written where it lacks, and found again."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from .limits import Limits, in_child
from .row import Row

_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80  # characters of a dump's name in that of its report


class Reports(NamedTuple):
    """The folder that they lie in; "" for none."""

    folder: str

    def name_of(self, row: Row) -> str:
        """What the report of this very content is called: of another it is another."""
        base = _UNUSUAL.sub("_", row.url.rstrip("/").rpartition("/")[2])[:_LONGEST]
        content = f"{row.url}\n{row.identity}".encode("utf-8", "surrogatepass")
        return f"{base}-{hashlib.sha256(content).hexdigest()[:12]}.html"

    def path_of(self, row: Row) -> Path:
        """Where it lies, or would."""
        return Path(self.folder, self.name_of(row))

    def lack(self, row: Row) -> bool:
        """Whether one can be written, and isn't there."""
        return row.release is not None and not self.path_of(row).exists()

    def seen_from(self, start: Path) -> Callable[[Row], tuple[str, str]]:
        """From a row to its report's path, and to a URL relative to ``start`` where it is there."""
        if not self.folder:
            return lambda row: (_UNUSUAL.sub("_", row.url.rpartition("/")[2]) + ".html", "")
        folder = os.path.abspath(self.folder)  # noqa: PTH100
        there = quote(os.fsencode(os.path.relpath(folder, start)))

        def told(row: Row) -> tuple[str, str]:
            name = self.name_of(row)
            path = f"{folder}/{name}"
            return path, f"{there}/{name}" if os.path.exists(path) else ""  # noqa: PTH110

        return told

    def write(self, row: Row, limits: Limits) -> str:
        """Write the report of a dump that was looked at; why there is none, or "".

        It raises nothing of a dump's or a storage's.
        """
        ended = in_child(partial(_written, row.url, str(self.path_of(row)), limits), limits)
        return ended.reason or ended.data.decode()


def _written(url: str, path: str, limits: Limits) -> bytes:
    """In the child: what went wrong, or nothing."""
    from ..report.page.output import write
    from .places.find import is_url, local_path

    like = path if is_url(url) else local_path(url)
    try:
        page = _page(url, limits)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write(path, [page.encode()], like)
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        return str(error).encode("utf-8", "replace")
    return b""


def _page(url: str, limits: Limits) -> str:
    from ..detect import detect
    from ..dumps import open_image
    from ..locate import finding
    from ..report.facts import gather
    from ..report.page import course
    from ..report.result import FileFacts, Report
    from .places.find import is_url
    from .work import source_of

    source = source_of(url, limits)
    sparing = source if source.costly else None
    with open_image(source) as dump, finding(dump, sparing=sparing) as found:
        detection = detect(dump)
        facts = gather(found) if found.location.found else None
        answer = Report(found.location, FileFacts.of(dump, detection), facts)
        return course.page(
            dump, found, answer, detection, course.draw(dump, found, answer),
            # Over a network the map of page kinds would cost more than all the rest.
            kinds=not is_url(url), progress=lambda *_: None,
        )  # fmt: skip
