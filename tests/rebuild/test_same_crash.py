# SPDX-License-Identifier: GPL-3.0-or-later
"""crash prints on a vmlinux made from the dump what it prints on the debug one."""

from __future__ import annotations

import pytest

from lab.guests import DUMPS
from lab.same.compared import counts, unlisted
from lab.same.rows import Row, ask

pytestmark = [pytest.mark.crash, pytest.mark.lab]
#: Of the commands so many at least print the same, or refuse in the same words.
LEAST_SAME = 430


def test_only_what_is_listed_differs() -> None:
    row = Row("crash", "ovmf-4cpu")
    if not row.dump(DUMPS).exists():
        pytest.skip("no lab dump (make sample-dumps)")
    found = ask(row, DUMPS)
    assert list(unlisted(found.commands)) == []
    assert dict(found.ended) == {}
    number = counts(found.commands)
    assert number["same"] + number["refused"] >= LEAST_SAME
    # Neither file was taken for the other: source lines are in the debug one alone.
    verdicts = {each.template: each.verdict for each in found.commands}
    assert verdicts["dis -l schedule"] == verdicts["sym schedule"] == "listed"
    assert verdicts["help -o"] == verdicts["ps"] == verdicts["bt -a"] == "same"
