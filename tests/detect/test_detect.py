# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote it: crafted files with one trait changed at a time."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from crashext import open_dump
from crashext.detect import Detection, detect
from tests.dumps.writers.elf_writer import Elf, Load
from tests.dumps.writers.flat_writer import flatten, records
from tests.dumps.writers.kdump_writer import Kdump
from tests.dumps.writers.notes import note

PAGES = {0: b"a" * 4096, 1: b"b" * 4096, 5: bytes(4096)}
START_KERNEL_MAP = 0xFFFFFFFF80000000


def prstatus(pid: int, size: int = 336) -> bytes:
    desc = bytearray(size)
    struct.pack_into("<I", desc, 32 if size >= 336 else 24, pid)
    return note(b"CORE", 1, bytes(desc))


def qemu(vcpus: int) -> bytes:
    cores = b"".join(prstatus(cpu + 1) for cpu in range(vcpus))
    return cores + note(b"QEMU", 0, struct.pack("<II", 1, 440) + bytes(432)) * vcpus


def vmcoreinfo(phys_base: int, *more: str) -> bytes:
    lines = ["OSRELEASE=6.1.0", f"NUMBER(phys_base)={phys_base}", *more]
    return note(b"VMCOREINFO", 0, "\n".join(lines).encode() + b"\n")


QEMU_KDUMP = Kdump(PAGES, notes=qemu(2), nr_cpus=2)
KERNEL_NOTES = prstatus(0) + prstatus(812)


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    return Verdict(tmp_path)


class Verdict:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "dump"

    def __call__(self, *images: bytes) -> Detection:
        paths = [self.path.with_suffix(f".{n}") for n in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image)
        with open_dump(*paths) as dump:
            return detect(dump)


def traits(found: Detection) -> dict[str, str]:
    return {e.name: e.points_to for e in found.evidence}


def test_qemu_kdump(verdict: Verdict) -> None:
    found = verdict(QEMU_KDUMP.write())
    assert (found.origin, found.confidence, found.memory_source) == ("qemu", "certain", "qemu")
    assert (found.format, found.compression, found.arch) == ("kdump", "zlib", "x86_64")
    assert found.vcpus == 2
    assert found.ram_bytes == 3 * 4096
    assert found.complete
    assert not found.vmcoreinfo


def test_qemu_kdump_flattened(verdict: Verdict) -> None:
    found = verdict(flatten(records(QEMU_KDUMP.write(), 512)))
    assert (found.origin, found.flattened) == ("qemu", True)


def test_qemu_elf(verdict: Verdict) -> None:
    found = verdict(Elf([Load(0, PAGES[0])], notes=qemu(3)).write())
    assert (found.origin, found.confidence, found.vcpus) == ("qemu", "certain", 3)
    assert found.to_json()["header_phys_base"] is None


@pytest.mark.parametrize("machine", [b"Unknown", b"S390X", b"i686"])
def test_a_header_without_qemu_notes_is_strong(verdict: Verdict, machine: bytes) -> None:
    found = verdict(replace(QEMU_KDUMP, notes=b"", machine=machine).write())
    assert (found.origin, found.confidence) == ("qemu", "strong")
    assert found.vcpus == 2


def test_zeroed_notes_leave_the_header(verdict: Verdict) -> None:
    found = verdict(replace(QEMU_KDUMP, notes=bytes(len(qemu(2)))).write())
    assert (found.origin, found.confidence) == ("qemu", "strong")


def test_makedumpfile_of_a_kernel(verdict: Verdict) -> None:
    image = Kdump(
        PAGES, frozenset({2, 3}), sysname=b"Linux", notes=KERNEL_NOTES, dump_level=31,
        overrides={"tv_sec": 1700000000},
    )  # fmt: skip
    found = verdict(_with_release(image.write()))
    assert (found.origin, found.confidence) == ("makedumpfile", "certain")
    assert found.memory_source is None


def test_a_split_set(verdict: Verdict) -> None:
    whole = Kdump(PAGES, sysname=b"Linux", notes=KERNEL_NOTES)
    parts = [replace(whole, part=part) for part in ((0, 1), (1, 6))]
    found = verdict(*(_with_release(part.write()) for part in parts))
    assert (found.origin, found.complete) == ("makedumpfile", True)
    assert traits(found)["split"] == "makedumpfile"


def test_refiltered_qemu_dump(verdict: Verdict) -> None:
    filtered = replace(QEMU_KDUMP, excluded=frozenset({2, 3}), sysname=b"Linux", dump_level=31)
    found = verdict(_with_release(filtered.write()))
    assert (found.origin, found.memory_source) == ("makedumpfile", "qemu")
    assert found.confidence in ("strong", "certain")
    assert "dumped by QEMU" in found.warnings[-1]


def _with_release(image: bytes) -> bytes:
    changed = bytearray(image)
    changed[142:147] = b"6.1.0"
    return bytes(changed)


def test_proc_vmcore(verdict: Verdict) -> None:
    loads = [
        Load(0x1000000, PAGES[0], vaddr=START_KERNEL_MAP + 0x1000000, flags=7),
        Load(0, PAGES[0], vaddr=0xFFFF888000000000, flags=7),
    ]
    image = Elf(loads, notes=KERNEL_NOTES + vmcoreinfo(0, "CRASHTIME=1"), sections=False).write()
    found = verdict(image)
    assert (found.origin, found.confidence) == ("kdump", "certain")
    assert traits(found)["guest_had_crashed"] == "either"
    assert found.header_phys_base.value == 0
    assert found.header_phys_base.meaning == "claimed"


def test_makedumpfile_elf_of_a_kernel(verdict: Verdict) -> None:
    at = START_KERNEL_MAP + 0x1000000
    loads = [Load(n << 20, PAGES[0], memsz=8192, vaddr=at + (n << 20), flags=7) for n in range(3)]
    found = verdict(Elf(loads, notes=KERNEL_NOTES, sections=False).write())
    assert (found.origin, found.confidence) == ("makedumpfile", "certain")
    assert found.memory_source is None


def test_makedumpfile_elf_of_a_qemu_dump(verdict: Verdict) -> None:
    loads = [Load(n << 20, PAGES[0], memsz=8192) for n in range(3)]
    found = verdict(Elf(loads, notes=qemu(1), sections=False).write())
    assert (found.origin, found.memory_source) == ("makedumpfile", "qemu")


def test_a_panicked_guest_is_still_qemus(verdict: Verdict) -> None:
    notes = qemu(1) + vmcoreinfo(0x1400000, "CRASHTIME=1700000000")
    assert verdict(replace(QEMU_KDUMP, notes=notes).write()).origin == "qemu"


def test_nothing_tells(verdict: Verdict) -> None:
    image = Elf([], notes=note(b"ODD", 1, b""), sections=False)
    found = verdict(image.write())
    assert (found.origin, found.confidence) == ("unknown", "none")


def test_a_big_endian_pid(verdict: Verdict) -> None:
    def status(pid: int) -> bytes:
        return note(b"CORE", 1, bytes(32) + struct.pack(">I", pid) + bytes(300), "big")

    image = Elf([Load(0, PAGES[0])], notes=status(1) + status(2), order="big", machine=22)
    found = verdict(image.write())
    assert (found.arch, found.origin, traits(found)["prstatus_pids"]) == ("s390x", "qemu", "qemu")


@pytest.mark.parametrize(
    ("real", "header"),
    [
        (0x1400000, 0x20971520),
        (-0x31000000, 0xFFFFFFF7DDF7CA7C | 0),
        (0xF600000, 0x257949696),
    ],
)
def test_vmcoreinfo_read_as_hex(verdict: Verdict, real: int, header: int) -> None:
    if real < 0:
        header = -int(str(-real), 16) & (1 << 64) - 1
    notes = qemu(1) + vmcoreinfo(real)
    claim = verdict(replace(QEMU_KDUMP, notes=notes, phys_base=header).write()).header_phys_base
    assert (claim.meaning, claim.decoded) == ("vmcoreinfo_misread", real)


def test_the_negative_number_seen_on_qemu_7_2(verdict: Verdict) -> None:
    notes = qemu(1) + vmcoreinfo(-822083584)
    found = verdict(replace(QEMU_KDUMP, notes=notes, phys_base=0xFFFFFFF7DDF7CA7C).write())
    json = found.to_json()
    assert json["header_phys_base"] == "0xfffffff7ddf7ca7c"
    assert json["header_phys_base_meaning"] == "vmcoreinfo_misread"
    assert json["header_phys_base_decoded"] == "0xffffffffcf000000"


def test_zero_is_a_placeholder(verdict: Verdict) -> None:
    found = verdict(QEMU_KDUMP.write())
    assert found.header_phys_base.meaning == "placeholder"
    assert found.to_json()["header_phys_base"] == "0x0"


def test_zero_that_vmcoreinfo_confirms(verdict: Verdict) -> None:
    found = verdict(replace(QEMU_KDUMP, notes=qemu(1) + vmcoreinfo(0)).write())
    assert found.header_phys_base.meaning == "claimed"


def test_a_claim_against_vmcoreinfo(verdict: Verdict) -> None:
    image = replace(QEMU_KDUMP, notes=qemu(1) + vmcoreinfo(0x200000), phys_base=0x600000)
    assert verdict(image.write()).header_phys_base.meaning == "contradicted"


def test_the_json_contract(verdict: Verdict) -> None:
    json = verdict(QEMU_KDUMP.write()).to_json()
    assert json["schema"] == 1
    wanted = (
        "path format flattened compression arch vcpus ram_bytes origin confidence evidence"
        " vmcoreinfo header_phys_base complete warnings"
    )
    assert set(wanted.split()) <= set(json)
    for piece in json["evidence"]:
        assert set(piece) == {"name", "value", "points_to", "strength"}


def test_escapes_in_a_header_are_shown_as_such(verdict: Verdict) -> None:
    found = verdict(replace(QEMU_KDUMP, machine=b"\x1b[31mred").write())
    assert all("\x1b" not in piece["value"] for piece in found.to_json()["evidence"])
