# SPDX-License-Identifier: GPL-3.0-or-later
"""The log and the facts of each of the lab's guests, held against what it said on its console."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crashext.dumps import open_dump
from crashext.kernel.kernel import Kernel
from crashext.kernel.log import Log, read_log
from crashext.locate import finding
from crashext.report.facts import Facts, gather
from crashext.report.page.places import living, places_of

pytestmark = pytest.mark.lab

DUMPS = Path(__file__).parents[2] / "lab" / "dumps"
GUESTS = sorted(
    path.stem for path in DUMPS.glob("*.kdump") if path.with_suffix(".console").exists()
)
_MESSAGE = re.compile(r"\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? .*")
_RTC = re.compile(r"\[ *(\d+\.\d+)\] .*setting system clock to .* UTC \((\d+)\)")


def truth(guest: str) -> dict[str, Any]:
    return dict(json.loads((DUMPS / f"{guest}.json").read_text()))


def boots(guest: str) -> Iterator[list[str]]:
    """The kernel's messages on the console, boot by boot."""
    text = (DUMPS / f"{guest}.console").read_bytes().decode("latin-1").replace("\r", "")
    found = [m[0] for m in map(_MESSAGE.search, text.split("\n")) if m]
    starts = [i for i, line in enumerate(found) if "Linux version" in line]
    for start, end in pairwise([*starts, len(found)]):
        yield found[start:end]


def shown(log: Log) -> list[str]:
    """As the console shows messages: those for debugging it does not."""
    lines = []
    for record in (r for r in log.records if r.level != 7):
        seconds, rest = divmod(record.nanoseconds or 0, 10**9)
        text = record.text.decode("latin-1")
        lines += [f"[{seconds:5d}.{rest // 1000:06d}] {line}" for line in text.split("\n")]
    return lines


@pytest.mark.parametrize("guest", GUESTS)
def test_the_log_is_what_the_guest_printed(guest: str) -> None:
    """Every line of its console, in the same order; an early state has the first of them."""
    path = DUMPS / f"{guest}.kdump"
    with open_dump(str(path)) as dump, finding(dump) as found:
        if not found.location.found:
            pytest.skip(f"no kernel is found without a vmlinux: {found.location.reason}")
        log = read_log(Kernel(found))
    lines = shown(log)
    for printed in boots(guest):
        common = [line for line in printed if line in set(lines)]
        last = len(printed) if common[-1:] == printed[-1:] else len(common)
        if len(common) > len(printed) // 2 or common == printed[:last] != []:
            assert common == printed[:last]
            assert [line for line in lines if line in set(printed)] == common
            return
    assert not any(boots(guest)) or not lines, "no boot on the console has these messages"
    if guest == "odd-types":  # its console shows no times
        text = (DUMPS / f"{guest}.console").read_bytes().decode("latin-1").replace("\r", "")
        missing = [line for line in lines if line.partition("] ")[2] not in text]
        assert len(lines) > 100 and not missing


@pytest.mark.parametrize("guest", [
    "ovmf-4cpu", "ovmf-kaslr", "panicked", "newer-kernel", "arm64-newer", "arm64-4cpu",
    "arm64-panicked", "user-pti",
])  # fmt: skip
def test_the_facts_are_what_the_guest_said(guest: str) -> None:
    facts, said = facts_of(guest), truth(guest)
    assert facts.command_line == said["cmdline"].encode()
    assert facts.hostname == b"(none)"
    assert facts.taint == ""
    online = [each.cpu for each in facts.cpus]
    assert online == list(range(said["vcpus"]))
    assert facts.times is not None
    console = (DUMPS / f"{guest}.console").read_bytes().decode("latin-1")
    if clock := _RTC.search(console):
        assert (
            abs(facts.times.boot / 1e9 + float(clock[1]) - int(clock[2])) < 2.5
        )  # the RTC counts seconds
    assert facts.tasks is not None and not facts.tasks.problem
    names = {task.name for task in facts.tasks.tasks}
    assert {b"swapper/0", b"init", b"kthreadd"} <= names
    assert {each.number for each in facts.vcpus} == set(range(said["vcpus"]))


@pytest.mark.parametrize("guest", ["panicked", "arm64-panicked"])
def test_who_panicked_and_why(guest: str) -> None:
    panic = facts_of(guest).panic
    assert panic is not None and panic.fatal
    assert (panic.message, panic.function) == (b"sysrq triggered crash", b"sysrq_handle_crash")


def test_what_lies_where_is_what_the_guest_said() -> None:
    """Of a guest whose kernel crashed, with the capture kernel that runs in its memory."""
    dump_path = DUMPS / "kdump-capture.kdump"
    with open_dump(str(dump_path)) as dump, finding(dump) as found:
        facts = gather(found)
        places = places_of(found, facts)
    said = truth("kdump-capture")
    kernels = {place.state: place for place in places if place.kind == "kernel"}
    assert set(kernels) == {"crashed", "capture"}
    assert kernels["crashed"].start == int(said["text_paddr"], 0)
    (room,) = (place for place in places if place.kind == "capture")
    assert room.name == "Crash kernel"
    capture = kernels["capture"]
    assert room.end and capture.end and room.start <= capture.start < capture.end <= room.end
    (log,) = (place for place in places if place.kind == "log")
    assert kernels["crashed"].start < log.start < (kernels["crashed"].end or 0)
    parts = [place for place in places if place.kind == "part"]
    assert parts[0].start == kernels["crashed"].start
    copies = [place for place in places if place.kind == "vmcoreinfo"]
    assert int(said["vmcoreinfo_paddr"], 0) in [copy.start for copy in copies]
    with open_dump(str(dump_path)) as dump:
        assert all(b"OSRELEASE=" in dump.read(copy.start, 40) for copy in copies)


@pytest.mark.parametrize("guest", ["arm64-uefi", "ovmf-4cpu"])
def test_each_vcpu_of_a_kernel_is_in_its_image(guest: str) -> None:
    with open_dump(str(DUMPS / f"{guest}.kdump")) as dump, finding(dump) as found:
        places, vcpus = places_of(found, gather(found)), living(found)
    (kernel,) = (place for place in places if place.kind == "kernel")
    assert len(vcpus) == truth(guest)["vcpus"]
    inside = [v for v in vcpus if v.paddr and kernel.start <= v.paddr < (kernel.end or 0)]
    assert inside == vcpus
    assert any(place.kind == "firmware" for place in places)


def test_a_vcpu_of_the_capture_kernel_runs_no_task_of_the_crashed_one() -> None:
    with open_dump(str(DUMPS / "kdump-smp.kdump")) as dump, finding(dump) as found:
        vcpus = gather(found).vcpus
    (capture,) = (k for k in found.location.kernels if k["state"] == "capture")
    inside = {v.number for v in vcpus if v.other_kernel == capture["id"]}
    assert inside == set(capture["vcpus"]) and len(inside) == 1
    for vcpu in vcpus:
        elsewhere = vcpu.number in inside
        assert (vcpu.running is None, vcpu.other_kernel is not None) == (elsewhere, elsewhere)


def test_all_of_ram_is_searched_for_kernels_left_over() -> None:
    with (
        open_dump(str(DUMPS / "kexec-stale-note.kdump")) as dump,
        finding(dump, everything=True) as found,
    ):
        kernels = [place for place in places_of(found, None) if place.kind == "kernel"]
    said = truth("kexec-stale-note")
    assert {kernel.start: kernel.state == "live" for kernel in kernels} == {
        int(said["text_paddr"], 0): True,
        int(said["kernels"][0]["text_paddr"], 0): False,
    }


def facts_of(guest: str) -> Facts:
    path = DUMPS / f"{guest}.kdump"
    if not path.exists():
        pytest.skip(f"{path.name} is not in the lab")
    with open_dump(str(path)) as dump, finding(dump) as found:
        assert found.location.found
        return gather(found)
