# SPDX-License-Identifier: GPL-3.0-or-later
"""The published tables of states have no wrong row of ours, and are what the lab shows now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.derived import DERIVED
from lab.scenarios import SCENARIOS
from lab.states import NO_STATES, our_answer, truths, vmlinux_of
from lab.target import TARGETS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "states.md"
DUMPS = ROOT / "lab" / "dumps"


def published(text: str) -> dict[str, str]:
    """Our answer for each state in the tables of ``text``."""
    rows = [line.strip("| \n").split(" | ") for line in text.splitlines()]
    return {row[0]: row[3] for row in rows if len(row) == 4 and row[0] != "state"}


def test_no_published_row_of_ours_is_wrong() -> None:
    table = published(PAGE.read_text())
    assert len(table) >= 30
    assert not {state: answer for state, answer in table.items() if "WRONG" in answer}


def test_each_architecture_has_its_guests_published() -> None:
    asked = [s for s in SCENARIOS if not s.captures and s.group not in NO_STATES]
    arch_of = {s.name: s.arch for s in asked}
    arch_of |= {d.name: arch_of[d.parent] for d in DERIVED}
    parts = re.split(r"^## (\w+)$", PAGE.read_text(), flags=re.MULTILINE)
    tables = dict(zip(parts[1::2], map(published, parts[2::2]), strict=True))
    assert set(tables) == set(TARGETS)
    for arch, table in tables.items():
        assert set(table) == {name for name, each in arch_of.items() if each == arch}


@pytest.mark.parametrize(
    "further",
    [
        pytest.param(False, marks=pytest.mark.lab),
        pytest.param(True, marks=[pytest.mark.lab, pytest.mark.arch], id="arch"),
    ],
)
def test_the_lab_gives_what_is_published(further: bool) -> None:
    table = published(PAGE.read_text())
    states = [each for each in truths(DUMPS) if (each[1]["group"] == "arch") is further]
    if not states:
        pytest.skip("no lab dumps (make sample-dumps, make test-arch)")
    for dump, truth in states:
        answer = our_answer(dump, truth, vmlinux_of(dump, truth))
        assert table.get(truth["scenario"]) == answer, truth["scenario"]
