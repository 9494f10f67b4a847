# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of later QEMUs: what is new in them, and that the rest is as QEMU 7.2 writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crashext import Dump, open_dump
from crashext.detect import detect

from .test_lab import assert_same

DUMPS = Path(__file__).parents[2] / "lab" / "dumps"
#: Each guest's first version of QEMU, and a guest of the machine's own QEMU that is alike.
GUESTS = {"qemu-newer": 9, "qemu-newest": 11, "qemu-newest-vmcoreinfo": 11}
LIKE = {"qemu-newer": "ovmf-4cpu", "qemu-newest": "ovmf-4cpu"}
DECIDE = {"qemu_cpu_notes": "decisive", "note_order": "medium"}
#: What stands in the headers of each format.
HEADERS = {
    "elf": {"segment_flags", "header_layout", "e_ehsize"},
    "kdump": {"utsname", "timestamp", "dump_level", "status"},
}

pytestmark = [pytest.mark.lab, pytest.mark.parametrize("name", GUESTS)]


def truth_of(name: str) -> dict[str, Any]:
    path = DUMPS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the lab has no {name} (make sample-dumps)")
    truth: dict[str, Any] = json.loads(path.read_text())
    return truth


def opened(name: str, suffix: str) -> Dump:
    truth_of(name)
    return open_dump(DUMPS / f"{name}.{suffix}")


def test_the_guest_is_of_a_later_qemu(name: str) -> None:
    assert int(truth_of(name)["qemu"].partition(".")[0]) >= GUESTS[name]


def test_every_format_holds_the_same_memory_and_notes(name: str) -> None:
    with opened(name, "elf") as elf:
        for other in truth_of(name)["dumps"]:
            with open_dump(DUMPS / other) as dump:
                assert dump.complete and dump.warnings == ()
                assert dump.ram == elf.ram and dump.vmcoreinfo == elf.vmcoreinfo
                assert [n.desc for n in dump.notes] == [n.desc for n in elf.notes]
                assert assert_same(elf, dump) == elf.ram[0].size // 4096


def test_a_kdump_of_qemus_own_is_not_flattened(name: str) -> None:
    with opened(name, "kdump") as dump:
        assert (dump.flattened, dump.format) == (False, "kdump")
    assert (DUMPS / f"{name}.kdump").read_bytes()[:8] == b"KDUMP   "


@pytest.mark.parametrize("suffix", HEADERS)
def test_who_wrote_it_is_told_by_the_same_traits(name: str, suffix: str) -> None:
    """Each trait points to QEMU as strongly as in a dump of the machine's own QEMU."""
    with opened(name, suffix) as dump:
        found = detect(dump)
    assert (found.origin, found.confidence, found.memory_source) == ("qemu", "certain", "qemu")
    assert found.vcpus == truth_of(name)["vcpus"]
    told = {e.name: (e.points_to, e.strength) for e in found.evidence}
    assert {trait: told[trait] for trait in DECIDE} == {t: ("qemu", s) for t, s in DECIDE.items()}
    assert told.keys() >= HEADERS[suffix]
    if name in LIKE:
        with opened(LIKE[name], suffix) as dump:
            assert {e.name: (e.points_to, e.strength) for e in detect(dump).evidence} == told


def test_the_vmcoreinfo_device_adds_the_guests_note(name: str) -> None:
    has_device = name.endswith("vmcoreinfo")
    with opened(name, "elf") as dump:
        assert (dump.vmcoreinfo is not None) is has_device
        if has_device:
            release = truth_of(name)["release"]
            assert f"OSRELEASE={release}\n".encode() in (dump.vmcoreinfo or b"")
