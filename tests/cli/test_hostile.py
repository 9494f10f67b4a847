# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples cut and flipped at random: an answer, or one line; never a wrong answer."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crashext.cli import run
from tests.cli.test_cli import SAMPLES, TRUTHS, VMLINUX

NAMES = ("ovmf-kaslr.elf", "ovmf-kaslr.kdump", "ovmf-vmcoreinfo.flat", "reset-booted.flat")
#: Headers, notes and tables come first: most flips should hit them.
HEAD = 24 << 10
relaxed = settings(
    max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
flips = st.lists(
    st.tuples(st.one_of(st.integers(0, HEAD), st.integers(0, 1 << 20)), st.integers(1, 255)),
    max_size=12,
)


@cache
def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def ask(*args: str) -> tuple[int, dict[str, Any] | None]:
    out, err = io.StringIO(), io.StringIO()
    status = run([*args, "--json"], out=out, err=err)
    said = err.getvalue()
    assert status in (0, 1, 3), said
    assert said.count("\n") == (status == 3), said
    assert said.isascii()
    assert (out.getvalue() == "") == (status == 3)
    return status, json.loads(out.getvalue()) if status != 3 else None


def changed(name: str, cut: float, changes: list[tuple[int, int]]) -> bytes:
    image = bytearray(sample(name))
    for at, bits in changes:
        image[at % len(image)] ^= bits
    return bytes(image[: round(len(image) * cut)])


@pytest.mark.parametrize("name", NAMES)
@relaxed
@given(cut=st.one_of(st.just(1.0), st.floats(0, 1)), changes=flips)
def test_changed_dumps(
    name: str, cut: float, changes: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(changed(name, cut, changes))
    ask("detect", str(path))
    status, answer = ask("physbase", str(path), "--vmlinux", str(VMLINUX))
    if status == 0 and answer is not None:
        assert answer["phys_base"] == TRUTHS[SAMPLES / name]["phys_base"]
        assert answer["kaslr_offset"] == TRUTHS[SAMPLES / name]["kaslr_offset"]


@relaxed
@given(cut=st.one_of(st.just(1.0), st.floats(0, 1)), changes=flips)
@example(cut=1.0, changes=[(39, 128)])  # e_shoff beyond what a file offset can be
def test_changed_vmlinux(cut: float, changes: list[tuple[int, int]], tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(changed(VMLINUX.name, cut, changes))
    status, answer = ask("physbase", str(SAMPLES / "ovmf-kaslr.elf"), "--vmlinux", str(path))
    if status == 0 and answer is not None:
        assert answer["phys_base"] == TRUTHS[SAMPLES / "ovmf-kaslr.elf"]["phys_base"]
