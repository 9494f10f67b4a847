# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/json.md names all there is."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.test_cli import ROOT, SAMPLE, VMLINUX, qemufix

JSON = (ROOT / "docs" / "json.md").read_text()


@pytest.mark.parametrize(
    "args",
    [
        ("detect",),
        ("physbase", "--vmlinux", str(VMLINUX)),
        ("vmlinux", "-o", "/dev/full"),
        ("dmesg",),
        ("report",),
    ],
)
def test_json_fields_are_documented(args: tuple[str, ...]) -> None:
    answer = json.loads(qemufix(args[0], "--json", SAMPLE, *args[1:]).stdout)
    section = JSON[JSON.index(f"## {args[0]}") :]
    documented = set(re.findall(r"`(\w+)`", section))
    assert set(answer) - documented == set()
    for kernel in answer.get("kernels", []):
        assert set(kernel) - documented == set()
