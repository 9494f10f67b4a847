# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests that the lab sent into files, against QEMU's own dump of the same stop.

What LiME and AVML would have written is made of such a dump.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crashext import Dump, open_dump
from crashext.arch import notes_of
from crashext.detect import detect
from crashext.locate import locate

from .writers.lime_writer import Ranges, avml, lime

DUMPS = Path(__file__).parents[2] / "lab" / "dumps"
TRUTHS = [json.loads(path.read_text()) for path in sorted(DUMPS.glob("*.json"))]
#: A capture, QEMU's dump of the same guest, and what the guest said of itself.
Case = tuple[Path, Path, dict[str, Any]]
CASES = [
    pytest.param(
        (DUMPS / name, DUMPS / truth["dumps"][0], truth),
        id=name,
        marks=pytest.mark.arch if truth["group"] == "arch" else (),
    )
    for truth in TRUTHS
    for name in truth.get("captures", ())
]
#: Facts of a search that may differ between two files of one guest.
_OWN = ("path", "stats", "warnings")
_QEMU_NOTES = (("CORE", 1), ("QEMU", 0))

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not CASES, reason="no lab dumps (make sample-dumps)"),
]


def differing(one: Dump, other: Dump) -> list[str]:
    """Addresses of the pages of ``other`` that ``one`` has otherwise, or hasn't."""
    step = 1 << 20
    return [
        hex(paddr)
        for start, end in one.ram
        for paddr in range(start, end, step)
        if one.read(paddr, min(step, end - paddr)) != other.read(paddr, min(step, end - paddr))
    ]


@pytest.mark.parametrize("case", CASES)
def test_every_page_is_that_of_the_dump(case: Case) -> None:
    capture, dumped, _ = case
    with open_dump(capture) as dump, open_dump(dumped) as elf:
        assert dump.complete and dump.warnings == ()
        assert dump.ram_bytes > 200 << 20
        assert differing(dump, elf) == []


@pytest.mark.parametrize("case", CASES)
def test_the_vcpus_make_the_notes_that_qemu_writes(case: Case) -> None:
    capture, dumped, truth = case
    with open_dump(capture) as dump, open_dump(dumped) as elf:
        assert len(dump.cpu_states) == truth["vcpus"] == detect(dump).vcpus
        wanted = [(n.name, n.type, n.desc) for n in elf.notes if (n.name, n.type) in _QEMU_NOTES]
        found = [(n.name, n.type, n.desc) for n in notes_of(dump)]
    assert found == wanted


@pytest.mark.parametrize("use_cpu_state", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_that_of_the_dump(case: Case, use_cpu_state: bool) -> None:
    capture, dumped, truth = case
    answers = []
    for path in (capture, dumped):
        with open_dump(path) as dump:
            found = locate(dump, use_cpu_state=use_cpu_state).to_json()
        # Some pages that are looked at are drawn by lot: what is seen there may differ.
        found["evidence"] = [(each["name"], each["held"]) for each in found["evidence"]]
        answers.append({key: value for key, value in found.items() if key not in _OWN})
    assert answers[0] == answers[1]
    if use_cpu_state:
        assert len(answers[0]["vcpus"]) == truth["vcpus"]
        for key in ("phys_base", "kaslr_offset", "text_vaddr", "text_paddr"):
            assert answers[0][key] == truth[key]


def test_differences_are_among_them() -> None:
    """Else the guest that dirties its memory would prove nothing."""
    with open_dump(DUMPS / "stream-xbzrle.qevm") as dump:
        chains = [
            len(dump._deltas.chain(entry)[1])  # type: ignore[attr-defined]
            for _, entry in dump._pages.items(0, len(dump._pages))  # type: ignore[attr-defined]
        ]
    assert sum(length >= 1 for length in chains) > 4
    assert max(chains) >= 2


@pytest.mark.parametrize("write", [lime, avml])
def test_what_a_module_inside_would_have_written(
    write: Callable[[Ranges], bytes], tmp_path: Path
) -> None:
    dumped = DUMPS / "stream.elf"
    path = tmp_path / "memory"
    with open_dump(dumped) as elf:
        ram = elf.ram[0]
        parts = [(0x1000, 0x9F000), (0x100000, ram.end)]
        path.write_bytes(write((start, elf.read(start, end - start)) for start, end in parts))
        with open_dump(path) as dump:
            assert dump.complete and differing(dump, elf) == []
            found, wanted = (locate(d, use_cpu_state=False).to_json() for d in (dump, elf))
    for key in ("phys_base", "kaslr_offset", "text_paddr", "confidence", "build_id"):
        assert found[key] == wanted[key]
