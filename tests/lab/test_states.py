# SPDX-License-Identifier: GPL-3.0-or-later
"""The published table of states has no wrong row of ours, and is what the lab shows now."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.states import our_answer, truths, vmlinux_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "states.md"


def published() -> dict[str, str]:
    """Our answer for each state in the table."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines()]
    return {row[0]: row[3] for row in rows if len(row) == 4 and row[0] != "state"}


def test_no_published_row_of_ours_is_wrong() -> None:
    table = published()
    assert len(table) >= 30
    assert not {state: answer for state, answer in table.items() if "WRONG" in answer}


@pytest.mark.lab
def test_the_lab_gives_what_is_published() -> None:
    table = published()
    for dump, truth in truths(ROOT / "lab" / "dumps"):
        answer = our_answer(dump, truth, vmlinux_of(dump, truth))
        assert table.get(truth["scenario"]) == answer, truth["scenario"]
