# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks where no note names page tables: headers, texts, copies in real arm64 memory.

Each runs on committed samples, and on the lab's whole dumps where these are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crashext import open_dump
from crashext.locate import Location
from fuzz.truth import FIELDS, Case, falsehood
from lab import forgery_arm64 as forgery
from lab.altered import PAGE, Altered
from lab.forgery_arm64 import BLOCK, Live
from lab.vmlinux_writer import FullVmlinux

ROOT = Path(__file__).parents[2]
GUESTS = ("arm64-direct.elf", "arm64-uefi.elf", "arm64-newer.elf")
#: With vmlinux or not, with CPU state or not.
WAYS = tuple((given, cpu) for given in (True, False) for cpu in (True, False))
_STEP = 64 << 10
#: The most that images with a header are looked into.
_HEADED = 512 << 20


def targets() -> Iterator[Any]:
    for name in GUESTS:
        for folder in (ROOT / "sample_dumps", ROOT / "lab" / "dumps"):
            if (folder / name).exists():
                marks = [pytest.mark.lab] if folder.name == "dumps" else []
                yield pytest.param(folder / name, marks=marks, id=f"{folder.name}-{name}")


class Target:
    """A dump to write forgeries into, and its truth."""

    def __init__(self, path: Path, memory: Altered) -> None:
        self.path, self.memory = path, memory
        self.truth: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
        self.live = Live.of(self.truth)
        self.vmlinux = (path.parent / self.truth["vmlinux"]).resolve()
        self.whole = path.parent.name == "dumps"

    def ask(self, given: bool, cpu: bool, *, everything: bool = False) -> Location:
        case = Case(self.path, self.truth, given, cpu)
        answer = case.ask(self.memory, everything=everything)
        assert falsehood(case, answer) is None, answer.reason
        return answer

    def is_right(self, answer: Location) -> bool:
        said = answer.to_json()
        return answer.found and all(said[name] == self.truth[name] for name in FIELDS)

    def room(self, size: int) -> int:
        """The lowest unused place for that much, as far into a block as the kernel is."""
        return forgery.unused(self.memory, size, self.live.text_paddr)[-1]

    def room_for_twin(self) -> int:
        return self.room(self.live.size + 4 * BLOCK) + 2 * BLOCK


@pytest.fixture(params=targets())
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    with open_dump(str(request.param)) as dump:
        yield Target(request.param, Altered(dump, seen=True))


@pytest.mark.parametrize(
    "sizes",
    [(0, 1 << 63, 1 << 40, (1 << 64) - 1), (16 << 20,)],
    ids=["impossible", "plausible"],
)
def test_headers_everywhere(target: Target, sizes: tuple[int, ...]) -> None:
    """An image header at every 64 KiB that are free: the answers are the same."""
    before = {way: target.ask(*way) for way in WAYS}
    places = [
        place
        for ram in target.memory.ram
        for place in range(ram.start, ram.end, _STEP)
        if not any(target.memory.page(place) or b"")
    ]
    assert len(places) > 5000
    forgery.headers(target.memory, places, sizes)
    for way in WAYS:
        answer = target.ask(*way)
        assert target.is_right(answer)
        assert answer.confidence == before[way].confidence
        assert answer.pages_read <= before[way].pages_read + 16
    everything = target.ask(given=False, cpu=False, everything=True)
    assert target.is_right(everything), everything.reason
    pages = before[False, False].pages_read + 16 * len(places) + 2 * _HEADED // PAGE
    assert everything.pages_read <= pages


def test_texts_by_the_thousand(target: Target) -> None:
    """VMCOREINFO texts whose tables map themselves: the kernel is found, and nothing else."""
    count = 1000
    place = forgery.unused(target.memory, BLOCK + 2 * count * PAGE)[0]
    before = {way: target.ask(*way).pages_read for way in WAYS}
    forgery.claims(target.memory, place, count, "6.6.6-forged")
    for way in WAYS:
        answer = target.ask(*way)
        assert target.is_right(answer), answer.reason
        assert len(answer.evidence) < 60
        assert answer.pages_read < before[way] + 8 * count
    target.memory.altered[int(target.truth["vmcoreinfo_paddr"], 16) & -PAGE] = None
    alone = target.ask(given=False, cpu=True)
    assert not alone.found or target.is_right(alone)


def test_a_twin_does_not_take_the_place_of_the_kernel(target: Target) -> None:
    """The whole image again, on tables of its own that map the same addresses, and a text."""
    place = target.room_for_twin()
    forgery.twin(target.memory, target.live, place)
    for told in (False, True):
        if told:
            text = int(target.truth["vmcoreinfo_paddr"], 16)
            forgery.claim_twin(target.memory, target.live, place, text)
        # With the registers it is the kernel whose struct pages are a kernel's.
        with_state = target.ask(given=True, cpu=True)
        assert f"{place:#x}" in {kernel["id"] for kernel in with_state.kernels}
        assert target.is_right(with_state) or not target.whole, with_state.reason
        assert target.is_right(target.ask(given=False, cpu=True))
        without = target.ask(given=True, cpu=False)
        assert not without.found
        assert "several intact kernels" in without.reason
        target.ask(given=False, cpu=False)


def test_a_twin_alone_is_not_certain(target: Target) -> None:
    """The kernel itself has lost its tables, the twin has not: it is not the answer."""
    place = target.room_for_twin()
    forgery.twin(target.memory, target.live, place)
    forgery.claim_twin(target.memory, target.live, place, int(target.truth["vmcoreinfo_paddr"], 16))
    target.memory.altered[target.live.paddr("swapper_pg_dir")] = None
    for way in WAYS:
        target.ask(*way)


def test_a_copy_that_never_ran_is_no_kernel(target: Target) -> None:
    """What a boot loader leaves behind changes no answer."""
    full = FullVmlinux(target.vmlinux)
    linked = next(iter(full.symbols(["kimage_voffset"]))).value
    place = target.room_for_twin()
    forgery.unstarted(target.memory, target.live, place, full.read(linked, 8))
    for way in WAYS:
        for everything in (False, True):
            answer = target.ask(*way, everything=everything)
            assert target.is_right(answer), answer.reason
