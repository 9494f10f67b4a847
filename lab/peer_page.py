# SPDX-License-Identifier: GPL-3.0-or-later
"""The page with the table of tools: read back, so that a few dumps can be asked about again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from .peers import PEERS
from .target import TARGETS

START = "<!-- made by python3 -m lab peers; do not edit -->\n"
FORMATS = ("elf", "kdump", "flat")
_WORDS = "What they say"
_ARCHS = tuple(TARGETS)


class Line(NamedTuple):
    """One dump in one format: the words for each tool, "" where it was not asked.

    ``format`` is one of FORMATS, perhaps with ", new file" behind it.
    """

    arch: str
    name: str
    format: str
    cells: Mapping[str, str]

    @property
    def dump(self) -> str:
        """The dump's file name."""
        return f"{self.name}.{self.format.partition(',')[0]}"


class Said(NamedTuple):
    """What a tool says "before" or "after" a repair, of ``example`` and perhaps of others."""

    tool: str
    when: str
    text: str
    example: str


@dataclass
class Page:
    """The table; ``head`` is what people wrote above it."""

    head: str
    lines: dict[str, Line] = field(default_factory=dict)
    said: dict[tuple[str, str, str], Said] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The page as it is; without a table where there is none yet."""
        head, _, table = path.read_text().partition(START)
        page, title = cls(head), ""
        for text in table.splitlines():
            cells = [cell.strip() for cell in text.strip("|").split("|")]
            if text.startswith("## "):
                title = text[3:]
            elif title == _WORDS and len(cells) == len(Said._fields) and cells[1] in _WHEN:
                page.add_said(Said(*cells))
            elif len(cells) == 2 + len(PEERS) and cells[1].partition(",")[0] in FORMATS:
                name, form, *words = cells
                line = Line(title, name, form, dict(zip(PEERS, words, strict=True)))
                page.lines[line.dump] = line
        return page

    def add(self, line: Line, said: Iterable[Said]) -> None:
        """Take one dump's answers, in place of those that the page has."""
        self.said = {key: old for key, old in self.said.items() if old.example != line.dump}
        self.lines[line.dump] = line
        for each in said:
            self.add_said(each)

    def add_said(self, said: Said) -> None:
        """Take what a tool says, unless it is known of another dump."""
        said = said._replace(text=said.text.replace("|", "/"))
        self.said.setdefault(said[:3], said)

    def write(self, path: Path) -> None:
        """Put it all into the file."""
        path.write_text(self.head + START + "\n".join([*self._table(), *self._words()]) + "\n")

    def _table(self) -> Iterator[str]:
        lines = sorted(self.lines.values(), key=_order)
        for arch in dict.fromkeys(line.arch for line in lines):
            yield from ("", f"## {arch}", "", "| dump | format | " + " | ".join(PEERS) + " |")
            yield "|---" * (2 + len(PEERS)) + "|"
            for line in lines:
                if line.arch == arch:
                    words = " | ".join(line.cells.get(tool, "") for tool in PEERS)
                    yield f"| {line.name} | {line.format} | {words} |"

    def _words(self) -> Iterator[str]:
        yield from ("", f"## {_WORDS}", "", "| tool | | words | of this and perhaps others |")
        yield "|---|---|---|---|"
        for said in sorted(self.said.values(), key=lambda s: (list(PEERS).index(s.tool), s[1:])):
            yield "| " + " | ".join(said) + " |"


_WHEN = ("before", "after")


def _order(line: Line) -> tuple[int, str, int]:
    return _ARCHS.index(line.arch), line.name, FORMATS.index(line.format.partition(",")[0])
