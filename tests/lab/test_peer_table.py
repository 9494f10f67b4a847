# SPDX-License-Identifier: GPL-3.0-or-later
"""The published table of tools has every dump that it should, and hides no failure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.derived import DERIVED
from lab.peer_table import GROUPS, MORE, START, Row
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
    parts = re.split(r"^## (\w+)$", PAGE.read_text().partition(START)[2], flags=re.MULTILINE)
    cells = []
    for arch, text in zip(parts[1::2], parts[2::2], strict=True):
        for line in text.splitlines():
            row = [cell.strip() for cell in line.strip("|").split("|")]
            if len(row) == 2 + len(PEERS) and row[0] not in ("dump", "---"):
                name, form, *words = row
                cells += [Cell(arch, name, form, *x) for x in zip(PEERS, words, strict=True)]
    return cells


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
    assert list(row(wrong, wrong).reasons("drgn")) == [
        ("before", "other tasks"), ("after", "other tasks"),
    ]  # fmt: skip
