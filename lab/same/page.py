# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/vmlinux-table.md: what is the same on a made vmlinux, and what is not.

Read back, so that a few rows can be asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from .compared import counts, unlisted
from .differences import KINDS
from .rows import ROWS, Row, ask, version
from .tools import Found

START = "<!-- made by python3 -m lab same; do not edit -->\n"
_HEAD = ("tool", "kernel", "guest", "asked", "same", "refused", "as listed", "otherwise")
_DETAILS = ("tool", "guest", "kind", "commands")


class Line(NamedTuple):
    """One tool on one guest: how many commands were asked, and what came of them."""

    tool: str
    kernel: str
    guest: str
    asked: int
    same: int
    refused: int
    listed: int
    other: int

    @property
    def key(self) -> tuple[str, str]:
        """What a line is replaced by when it is asked again."""
        return self.tool, self.guest


@dataclass
class Page:
    """The tables; ``head`` is what people wrote above them."""

    head: str
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    #: Commands by tool, guest and kind.
    details: dict[tuple[str, str, str], str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The page as it is; without tables where there are none yet."""
        head, _, tables = path.read_text().partition(START)
        page = cls(head)
        for text in tables.splitlines():
            cells = [cell.strip() for cell in text.strip("| ").split(" | ")]
            if len(cells) == len(_HEAD) and cells[3].isdigit():
                line = Line(cells[0], cells[1], cells[2], *map(int, cells[3:]))
                page.lines[line.key] = line
            elif len(cells) == len(_DETAILS) and set(cells[2].split(", ")) <= KINDS.keys():
                page.details[cells[0], cells[1], cells[2]] = cells[3]
        return page

    def add(self, tool: str, kernel: str, guest: str, found: Found) -> Line:
        """Take what came of one row, in place of what the page has of it."""
        number = counts(found.commands)
        line = Line(tool, kernel, guest, len(found.commands), *number.values())
        self.details = {k: v for k, v in self.details.items() if k[:2] != line.key}
        self.lines[line.key] = line
        for kinds, commands in _by_kind(found).items():
            self.details[tool, guest, kinds] = commands
        return line

    def write(self, path: Path) -> None:
        """Put it all into the file."""
        path.write_text(self.head + START + "\n".join(self._tables()) + "\n")

    def _tables(self) -> Iterator[str]:
        yield from ("", *_table(_HEAD))
        for line in sorted(self.lines.values(), key=_order):
            yield "| " + " | ".join(map(str, line)) + " |"
        yield from ("", "## What may differ", "", *_table(("kind", "what it is")))
        for name, kind in KINDS.items():
            yield f"| {name} | {kind.means} |"
        yield from ("", "## What differs", "", *_table(_DETAILS))
        for key in sorted(self.details):
            yield "| " + " | ".join((*key, self.details[key])) + " |"


def _table(head: Sequence[str]) -> tuple[str, str]:
    return "| " + " | ".join(head) + " |", "|---" * len(head) + "|"


def _order(line: Line) -> tuple[str, str, str]:
    return line.tool, line.kernel, line.guest


def _by_kind(found: Found) -> Mapping[str, str]:
    """The commands that differ, by the kinds that are listed for them."""
    kinds: dict[str, list[str]] = {}
    for each in found.commands:
        if each.verdict == "listed":
            kinds.setdefault(", ".join(each.kinds), []).append(each.template)
    return {
        kind: ", ".join(f"`{template}`".replace("|", "\\|") for template in templates)
        for kind, templates in kinds.items()
    }


def write_table(
    dumps: Path,
    path: Path,
    say: Callable[[str], None],
    names: Sequence[str] = (),
    *,
    program: str | None = None,
) -> int:
    """Ask the rows, of the guests in ``names`` alone if there are any, and write the page.

    ``program``: another crash than the machine's, asked about those guests in its place.
    Returns in how many commands something differs that is not listed.

    Raises:
        LabError: a tool or a dump is not there, or can't be opened.
    """
    rows: Sequence[Row] = [row for row in ROWS if not names or row.guest in names]
    if program is not None:
        rows = [Row("crash", name, (program,)) for name in names]
    page = Page.read(path) if names else Page(Page.read(path).head)
    wrong = 0
    for row in rows:
        found = ask(row, dumps)
        line = page.add(version(row, dumps), row.truth(dumps)["release"], row.guest, found)
        say(" ".join(map(str, line)))
        for text in (*unlisted(found.commands), *(f"{c}: {how}" for c, how in found.ended.items())):
            say(text)
        wrong += line.other + len(found.ended)
        page.write(path)
    return wrong
