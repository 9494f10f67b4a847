# SPDX-License-Identifier: GPL-3.0-or-later
"""The man page and docs/json.md name all there is."""

from __future__ import annotations

import json
import re

import pytest

import crashext
from crashext.cli.commands import cli
from tests.cli.test_cli import ROOT, SAMPLE, VMLINUX, qemufix

MAN = (ROOT / "docs" / "qemufix.1").read_text().replace("\\-", "-")
JSON = (ROOT / "docs" / "json.md").read_text()


def test_the_man_page_is_of_this_version() -> None:
    assert f'"qemufix {crashext.__version__}"' in MAN


@pytest.mark.parametrize("command", [*cli.commands])
def test_the_man_page_has_every_option(command: str) -> None:
    options = [name for p in cli.commands[command].params for name in p.opts if name[:2] == "--"]
    assert [name for name in options if name not in MAN] == []


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
