# SPDX-License-Identifier: GPL-3.0-or-later
"""The published table of tools has every dump that it should, and hides no failure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.derived import DERIVED
from lab.peer_page import Page
from lab.peer_table import GROUPS, MORE, Row
from lab.peers import PEERS
from lab.peers.case import Outcome, Values
from lab.scenarios import SCENARIOS

PAGE = Path(__file__).parents[2] / "docs" / "repair-table.md"
WORDS = r"right|wrong|refuses|-"
#: Words after a repair, and those of a tool that was asked.
CELL = re.compile(rf"(?:(?:{WORDS}) → )?({WORDS})|")


class Cell(NamedTuple):
    arch: str
    name: str
    format: str
    tool: str
    words: str

    @property
    def after(self) -> str:
        return self.words.rpartition(" → ")[2]


def published() -> list[Cell]:
    return [
        Cell(*line[:3], tool, words)
        for line in Page.read(PAGE).lines.values()
        for tool, words in line.cells.items()
    ]


def is_excused(cell: Cell) -> bool:
    """What no repair can mend: the page says why."""
    newer = "newer" in cell.name or "lpa2" in cell.name or cell.arch == "riscv64"
    match cell.tool:
        case "makedumpfile":
            unfiltered = cell.arch == "x86_64" and cell.format in ("kdump", "flat")
            return unfiltered or (newer and cell.arch == "aarch64")
        case "crash":
            return newer
        case "libkdumpfile":
            return cell.format == "flat" or cell.arch not in ("x86_64", "aarch64")
        case "drgn" | "gdb" | "volatility3":
            return cell.arch not in ("x86_64", "aarch64")
    return False


def test_every_dump_is_in_the_table() -> None:
    groups = {s.name: s.group for s in SCENARIOS} | {d.name: d.group for d in DERIVED}
    wanted = {name for name, group in groups.items() if group in GROUPS}
    assert wanted | set(MORE) == {cell.name for cell in published()}


def test_cells_are_words() -> None:
    assert [cell for cell in published() if not CELL.fullmatch(cell.words)] == []


def test_each_tool_that_refused_opens_what_was_repaired() -> None:
    left = [c for c in published() if c.after in ("refuses", "wrong") and not is_excused(c)]
    assert left == []
    for tool in PEERS:
        if tool != "volatility3":  # it finds VMCOREINFO in memory by itself
            assert any(c.words == "refuses → right" for c in published() if c.tool == tool), tool


def test_no_tool_fares_worse() -> None:
    assert [c for c in published() if c.words.startswith("right → ")] == []


GUEST = Values("6.1", 46, "first", "last", "Linux version 6.1")


def row(before: Outcome, after: Outcome) -> Row:
    return Row("guest", "x86_64", "elf", GUEST, {"drgn": before}, {"drgn": after})


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome("drgn", None), "-"),
        (Outcome("drgn", False, problem="no"), "refuses"),
        (Outcome("drgn", True, GUEST), "right"),
        (Outcome("drgn", True, Values("6.1")), "right"),
        (Outcome("drgn", True, Values("6.2")), "wrong"),
        (Outcome("drgn", True, GUEST, "3 threads"), "wrong"),
    ],
)
def test_an_outcome_is_judged(outcome: Outcome, word: str) -> None:
    assert row(outcome, outcome).cell("drgn") == word
    refused = Outcome("drgn", False, problem="no")
    if word != "refuses":
        assert row(refused, outcome).cell("drgn") == f"refuses → {word}"
    assert row(outcome, outcome).cell("crash") == ""


def test_a_wrong_value_is_named() -> None:
    wrong = Outcome("drgn", True, Values("6.1", 1))
    said = [("drgn", when, "other tasks", "guest.elf") for when in ("before", "after")]
    assert list(row(wrong, wrong).said()) == said


def test_a_page_is_read_back(tmp_path: Path) -> None:
    place = tmp_path / "page.md"
    place.write_text("# Head\n\n| word | |\n|---|---|\n")
    page = Page.read(place)
    refused, right = Outcome("drgn", False, problem="a | b"), Outcome("drgn", True, GUEST)
    for one in (row(refused, refused), row(refused, right)):
        page.add(one.line, one.said())
        page.write(place)
        assert Page.read(place) == page
    assert page.head.startswith("# Head")
    assert [said[:3] for said in page.said.values()] == [("drgn", "before", "a / b")]
