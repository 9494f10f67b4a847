# SPDX-License-Identifier: GPL-3.0-or-later
"""Every committed sample of a real dump gives what its guest said of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import crashext
from crashext.arch import ARCHITECTURES, architecture_of
from crashext.locate import locate
from fuzz.truth import BELIEVED, Case, falsehood

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
LAB = Path(__file__).parents[2] / "lab" / "dumps"
FIELDS = (
    "found", "phys_base", "kaslr_offset", "text_vaddr", "text_paddr", "release", "banner",
    "build_id", "page_table_levels", "kimage_voffset", "va_bits", "page_size",
)  # fmt: skip

NOTHING: dict[str, Any] = dict.fromkeys(FIELDS) | {"found": False}


def cases(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """(dump, truth) for each dump in ``folder`` that has its truth beside it."""
    truths = [(path, json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    return [
        (path.parent / name, truth)
        for path, truth in truths
        for name in truth.get("dumps", [])
        if (path.parent / name).exists()
    ]


#: States told by kallsyms alone without a vmlinux, which is too large for a sample.
NEEDS_KALLSYMS = {
    "early-setup", "early-tables", "efi-call", "forged", "kdump-capture", "kdump-smp",
    "kexec-other", "kexec-stale-note", "reset-booted",
}  # fmt: skip
#: More than one kernel is in memory, and what is left of the others is chance: without vCPU
#: state the right answer and none are both honest.
SEVERAL = {"forged", "kexec-other", "kexec-stale-note", "reset-booted", "arm64-reset-booted"}
#: Here something of the kernel is where no program's memory can be.
PRIVILEGED = {arch.name for arch in ARCHITECTURES if arch.privileged}
#: Their kernels are built without kexec.
WITHOUT_VMCOREINFO = {"arm64-64k", "arm64-64k-48"}
#: Of these samples the kernel's own symbol table is kept.
WITH_KALLSYMS = {"odd-kernel"}
#: Of these the struct pages and page tables by which the kernel accounts for RAM are kept, and
#: a VMCOREINFO that leads to the banner: kallsyms would prove no more.
ACCOUNTED_FOR = {"arm64-direct", "arm64-uefi", "arm64-lpa2"}


def parameters(folder: Path) -> list[Any]:
    """All ways to ask about each dump: with its vmlinux or alone, with vCPU state or without."""
    return [
        pytest.param(
            dump, truth, given, cpu,
            id=f"{dump.name}-{'vmlinux' if given else 'alone'}-{'cpu' if cpu else 'nocpu'}",
            marks=pytest.mark.arch if folder == LAB and truth.get("group") == "arch" else (),
        )
        for dump, truth in cases(folder)
        for given in (True, False)
        for cpu in (True, False)
    ]  # fmt: skip


def lesser(truth: dict[str, Any], given: bool, use_cpu_state: bool, whole: bool) -> dict[str, Any]:
    """The most that can be said with less evidence, by the state that the guest was in."""
    name = truth["scenario"]
    # Debian's 32-bit kernels name functions alone in kallsyms.
    few = truth.get("arch") == "i386"
    if (few or name in WITHOUT_VMCOREINFO) and not given:
        return {"kaslr_offset": None} if use_cpu_state or not few else NOTHING
    if use_cpu_state:
        # Before boot_params is copied nothing in memory tells the address linked for.
        return {"kaslr_offset": None} if name == "early-tables" and not given else {}
    proven = name in WITH_KALLSYMS | ACCOUNTED_FOR or truth["arch"] in PRIVILEGED
    if not given and not whole and not proven:
        return NOTHING  # all that a sample holds a program could have written
    if name == "reset-firmware":
        return {k: v for k, v in truth["kernels"][0].items() if k in FIELDS} | {"found": True}
    if name == "early-tables" or (name in ("early-setup", "efi-call") and not given):
        return NOTHING  # no VMCOREINFO yet, no tables of its own
    return {}


def run(dump: Path, truth: dict[str, Any], given: bool, use_cpu_state: bool) -> None:
    case = Case(dump, truth, given, use_cpu_state)
    whole = dump.parent != SAMPLES
    with crashext.open_dump(str(dump)) as opened:
        location = case.ask(opened)
        arch = architecture_of(opened.arch)
        cpus = () if arch is None else arch.cpus(opened.notes)
        # Registers alone vouch for an image that bears itself out; page tables for any.
        has_state = any(cpu.known and not cpu.empty for cpu in cpus)
    assert falsehood(case, location) is None
    known = use_cpu_state and has_state
    if (truth["scenario"] in SEVERAL and not known) or (
        truth["scenario"] in NEEDS_KALLSYMS and not whole and not given
    ):
        return
    truth = truth | lesser(truth, given, known, whole)
    answer = location.to_json()
    wanted = {name: truth[name] for name in FIELDS if name in truth}
    assert {name: answer[name] for name in wanted} == wanted, answer["reason"]
    assert not location.found or location.confidence in BELIEVED


@pytest.mark.parametrize(("dump", "truth", "given", "use_cpu_state"), parameters(SAMPLES))
def test_sample(dump: Path, truth: dict[str, Any], given: bool, use_cpu_state: bool) -> None:
    run(dump, truth, given, use_cpu_state)


@pytest.mark.lab
@pytest.mark.parametrize(("dump", "truth", "given", "use_cpu_state"), parameters(LAB))
def test_lab_dump(dump: Path, truth: dict[str, Any], given: bool, use_cpu_state: bool) -> None:
    run(dump, truth, given, use_cpu_state)


def test_a_refusal_names_the_package_that_would_help() -> None:
    """A crashed and a capture kernel, and too few symbols: one line says what is missing."""
    with crashext.open_dump(str(SAMPLES / "kdump-capture.flat")) as dump:
        answer = locate(dump)
    assert not answer.found
    assert "may be a capture kernel: give the vmlinux" in answer.reason
    assert answer.debug_packages == (f"linux-image-{answer.kernels[0]['release']}-dbg",)


def test_samples_exist() -> None:
    assert len(cases(SAMPLES)) >= 6


@pytest.mark.parametrize(("dump", "truth"), cases(SAMPLES))
def test_the_answer_needs_few_pages(dump: Path, truth: dict[str, Any]) -> None:
    if not (truth["found"] and truth["cpus"] and truth["origin"] == "qemu"):
        return
    with crashext.open_dump(str(dump)) as opened:
        location = locate(opened, vmlinux=str(dump.parent / truth["vmlinux"]))
    answer = location.to_json()
    assert answer["phys_base"] == truth["phys_base"]
    assert answer["text_paddr"] == truth["text_paddr"]
    assert location.pages_read <= 64
