# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged memory gives the truth or no answer: a short run of fuzz/truth.py, and what it found.

`make fuzz-truth` runs as many cases as there is time for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from crashext import open_dump
from fuzz.truth import FOLDERS, Case, cases, falsehood, mutate, run
from lab.altered import PAGE, Altered

SAMPLES, DUMPS = FOLDERS["samples"], FOLDERS["dumps"]


def test_samples() -> None:
    report = run(cases(SAMPLES), 1000, seed=8)
    assert report.failures == []
    assert report.answers["certain"] > 100
    assert report.answers["strong"] > 100


@pytest.mark.lab
def test_whole_dumps() -> None:
    names = ("kdump-capture", "kdump-smp", "reset-booted", "forged", "cpus-offline")
    report = run(cases(DUMPS, names), 300, seed=8)
    assert report.failures == []
    assert report.answers["certain"] > 20


def test_every_kind_of_accident_happens() -> None:
    chance = Random(1)
    page, other = bytes(range(256)) * 16, b"\x55" * PAGE
    made = [mutate(chance, page, other) for _ in range(200)]
    assert {None, bytes(PAGE), other} <= set(made)
    assert len({m for m in made if m}) > 100


def test_a_falsehood_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge itself: another kernel's place is false, null is not."""
    case = next(c for c in cases(SAMPLES, ("reset-booted",)) if c.given and c.use_cpu_state)
    with open_dump(str(case.dump)) as dump:
        right = case.ask(dump)
    assert falsehood(case, right) is None
    stale = next(k for k in case.truth["kernels"] if k["role"] == "stale")
    wrong = Case(case.dump, {**case.truth, **{n: stale[n] for n in ("phys_base", "text_paddr")}},
                 True, True)  # fmt: skip
    assert falsehood(wrong, right) is not None


def _single(name: str, *, given: bool, cpu: bool) -> Case:
    (case,) = (
        c for c in cases(SAMPLES, (name,)) if (c.given, c.use_cpu_state) == (given, cpu)
    )  # fmt: skip
    return case


def _zero(page: bytes) -> bytes:
    return bytes(len(page))


def _lost(page: bytes) -> None:
    return None


@pytest.mark.parametrize("damage", [_zero, _lost])
@pytest.mark.parametrize("given", [True, False])
def test_no_single_page_makes_the_capture_kernel_the_answer(
    damage: Callable[[bytes], bytes | None], given: bool
) -> None:
    """kdump-smp without CPU state, page after page of those that the search reads."""
    case = _single("kdump-smp", given=given, cpu=False)
    with open_dump(str(case.dump)) as dump:
        altered = Altered(dump)
        case.ask(altered)
        for paddr in sorted(altered.touched):
            altered.altered = {}
            page = altered.page(paddr)
            if page is not None:
                altered.altered = {paddr: damage(page)}
                assert falsehood(case, case.ask(altered)) is None, f"{paddr:#x}"


def _large_entries(page: bytes) -> int:
    """Entries that map 2 MiB: present, and with the page size bit."""
    return sum(entry & 0x81 == 0x81 for entry in struct.unpack("<512Q", page))


@pytest.mark.parametrize("name", ["newer-la57", "efi-call"])
def test_no_page_in_place_of_a_level_2_table_moves_the_kernel(name: str) -> None:
    """Any other page that is read, where the table was: the image's body fits any mapping of it."""
    case = _single(name, given=True, cpu=True)
    with open_dump(str(case.dump)) as dump:
        altered = Altered(dump)
        case.ask(altered)
        touched = sorted(altered.touched)
        pages = {paddr: altered.page(paddr) for paddr in touched}
        tables = [paddr for paddr, page in pages.items() if page and _large_entries(page) > 4]
        assert tables
        for table in tables:
            for page in pages.values():
                altered.altered = {table: page}
                assert falsehood(case, case.ask(altered)) is None, f"{table:#x}"


def test_samples_have_their_truth_beside_them() -> None:
    assert {c.dump.suffix for c in cases(SAMPLES)} == {".elf", ".flat", ".kdump"}
    assert all(Path(c.dump).exists() for c in cases(SAMPLES))
