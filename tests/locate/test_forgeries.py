# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks of docs/security.md, written into real dumps: no false answer, no denial if it can be.

Each runs on committed samples, and on the lab's whole dumps where these are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crashext import open_dump
from crashext.locate import Location, locate
from fuzz.truth import Case, falsehood
from lab import forgery
from lab.altered import PAGE, Altered
from lab.forgery import PMD, Build

ROOT = Path(__file__).parents[2]
#: Two builds, ELF and kdump; each is attacked in its sample and as a whole dump.
GUESTS = ("ovmf-kaslr.kdump", "ovmf-kaslr.elf", "newer-kernel.kdump", "seabios-kaslr.kdump")


def targets() -> Iterator[Any]:
    for name in GUESTS:
        for folder in (ROOT / "sample_dumps", ROOT / "lab" / "dumps"):
            marks = [pytest.mark.lab] if folder.name == "dumps" else []
            path = folder / name
            flat = path.with_suffix(".flat")
            path = path if path.exists() or not flat.exists() else flat
            if path.exists():
                yield pytest.param(path, marks=marks, id=f"{folder.name}-{path.name}")


class Target:
    """A dump to write forgeries into, its truth, and what anybody knows of its kernel."""

    def __init__(self, path: Path, memory: Altered) -> None:
        self.path, self.memory = path, memory
        self.truth = json.loads(path.with_suffix(".json").read_text())
        self.vmlinux = (path.parent / self.truth["vmlinux"]).resolve()
        self.build = Build.of(self.vmlinux)
        self.text_paddr = int(self.truth["text_paddr"], 16)
        self.whole = path.parent.name == "dumps"

    def ask(self, *, vmlinux: bool, cpu: bool, **options: Any) -> Location:
        given = str(self.vmlinux) if vmlinux else None
        answer = locate(self.memory, vmlinux=given, use_cpu_state=cpu, **options)
        case = Case(self.path, self.truth, vmlinux, cpu)
        assert falsehood(case, answer) is None, answer.reason
        return answer

    def places(self) -> list[int]:
        """Blocks that the search of the untouched dump does not rest on, those below it last."""
        for given in (str(self.vmlinux), None):
            for cpu in (True, False):
                locate(self.memory, vmlinux=given, use_cpu_state=cpu)
        # Probing for the banner passes over every block.
        banner = self.build.at(self.text_paddr, "linux_banner") & -PAGE
        probed = {(banner + at) % PMD for at in (0, PAGE)}
        taken = {page for page in self.memory.touched if page % PMD not in probed}
        return forgery.free_places(self.memory, self.build, self.text_paddr, taken)

    def is_right(self, answer: Location) -> bool:
        return answer.found and answer.to_json()["phys_base"] == self.truth["phys_base"]


@pytest.fixture(params=targets())
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    # In a sample a forgery's body would be missing, which no program in the guest can do.
    whole = request.param.parent.name == "dumps"
    with open_dump(str(request.param)) as dump:
        yield Target(request.param, Altered(dump, seen=whole))


def spare(target: Target) -> list[int]:
    """Blocks of RAM to forge in: where samples hold nothing, any block of RAM will do."""
    if target.whole:
        return target.places()
    ram = max(target.memory.ram, key=lambda r: r.size)
    return list(range(max(ram.start, 16 << 20), target.text_paddr - 32 * PMD, PMD))


def bare(target: Target) -> int:
    """The last of them where too little lies to pass for a kernel's body, if there is one.

    What a boot loader left there, an initrd or the compressed kernel, fills pages as one does.
    """
    places = spare(target)
    for place in reversed(places):
        pages = (target.memory.page(place + at) or b"" for at in range(0, PMD, PAGE))
        if sum(len(set(page)) > 64 for page in pages) < PMD // PAGE // 10:
            return place
    return places[-1]


def test_decoys_do_not_crowd_out_the_kernel(target: Target) -> None:
    """Three pages in each of 40 blocks, below it where there are so many: it is found."""
    places = spare(target)[-40:]
    assert len(places) >= 33
    forgery.decoys(target.memory, target.build, places)
    for everything in (False, True):
        answer = target.ask(vmlinux=True, cpu=False, everything=everything)
        assert target.is_right(answer), answer.reason
        assert len(answer.evidence) < 60
    for vmlinux, cpu in ((False, False), (True, True), (False, True)):
        target.ask(vmlinux=vmlinux, cpu=cpu)


def test_one_decoy_that_maps_itself(target: Target) -> None:
    """All slots have the banner and the zero, only one a table that holds."""
    places = spare(target)[-40:]
    forgery.decoys(target.memory, target.build, places[:1])
    for place in places[1:]:
        target.memory.write(target.build.at(place, "linux_banner"), target.build.banner + b"\0")
    assert target.is_right(target.ask(vmlinux=True, cpu=False))


@pytest.mark.parametrize("count", [1, 32])
def test_claims_are_no_answer(target: Target, count: int) -> None:
    """VMCOREINFO texts, tables that map themselves, a banner: no kernel, and no denial of one."""
    place = bare(target)
    forgery.claims(target.memory, target.build, place, count, "6.6.6-forged")
    alone = target.ask(vmlinux=False, cpu=False)
    assert target.is_right(alone) == target.whole, alone.reason
    assert target.is_right(target.ask(vmlinux=True, cpu=False))
    assert target.is_right(target.ask(vmlinux=True, cpu=True))
    # Without symbols, as in a sample, the live kernel might be there because another crashed.
    assert target.is_right(target.ask(vmlinux=False, cpu=True)) or not target.whole


def test_a_number_in_memory_makes_no_capture_kernel(target: Target) -> None:
    """elfcorehdr_addr written, a victim forged: the kernel that runs is the answer."""
    if not target.whole:
        pytest.skip("a sample lacks the command line that contradicts it")
    place = spare(target)[-1]
    forgery.capture(target.memory, target.build, target.truth, place, place + PAGE)
    for vmlinux in (True, False):
        answer = target.ask(vmlinux=vmlinux, cpu=True)
        assert target.is_right(answer), answer.reason
        assert any("elfcorehdr" in warning for warning in answer.warnings)
    target.ask(vmlinux=True, cpu=False)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_bent_page_tables(target: Target, share: float) -> None:
    """A part of the kernel's own level-2 table leads elsewhere: with the vmlinux it is found."""
    place = spare(target)[-1]
    forgery.image(target.memory, target.build, place, place - PMD * 8, notes=True)
    assert forgery.bend(target.memory, target.build, target.truth, place, share)
    target.ask(vmlinux=False, cpu=True)
    answer = target.ask(vmlinux=True, cpu=True)
    if target.whole:
        assert target.is_right(answer), answer.reason


@pytest.mark.parametrize("name", ["ovmf-vmcoreinfo.elf", "ovmf-vmcoreinfo.flat"])
def test_a_forged_offset_in_the_files_note(name: str) -> None:
    path = ROOT / "sample_dumps" / name
    with open_dump(str(path)) as dump:
        target = Target(path, Altered(dump))
        note = target.memory.vmcoreinfo
        assert note is not None
        offset = f"KERNELOFFSET={int(target.truth['kaslr_offset'], 16):x}".encode()
        assert offset in note
        assert target.ask(vmlinux=False, cpu=True).kaslr_offset is not None
        target.memory.vmcoreinfo = note.replace(offset, b"KERNELOFFSET=1200000")
        answer = target.ask(vmlinux=False, cpu=True)
        assert answer.kaslr_offset is None
        assert any("KASLR offset" in warning for warning in answer.warnings)
        assert target.is_right(target.ask(vmlinux=True, cpu=True))
