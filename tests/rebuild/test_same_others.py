# SPDX-License-Identifier: GPL-3.0-or-later
"""drgn and gdb say of a vmlinux made from the dump what they say of the debug one."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest

from lab.guests import DUMPS
from lab.same.compared import counts, unlisted
from lab.same.rows import Row, ask

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    "row",
    [Row("drgn", "newer-kernel"), Row("drgn", "panicked"), Row("gdb", "newer-kernel")],
    ids=lambda row: f"{row.tool}-{row.guest}",
)
def test_only_what_is_listed_differs(row: Row) -> None:
    if not row.dump(DUMPS).exists():
        pytest.skip("no lab dump (make sample-dumps)")
    if row.tool == "drgn" and find_spec("drgn") is None:
        pytest.skip("drgn is not installed")
    if row.tool == "gdb" and shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    found = ask(row, DUMPS)
    assert list(unlisted(found.commands)) == []
    number = counts(found.commands)
    assert number["same"] >= len(found.commands) * 0.8
    assert number["refused"] <= 2
