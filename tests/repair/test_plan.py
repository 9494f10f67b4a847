# SPDX-License-Identifier: GPL-3.0-or-later
"""A mended sample is the same memory with the right notes, headers and fields; twice is once."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from crashext.dumps import open_dump, open_source
from crashext.dumps.elf import ElfDump
from crashext.dumps.elf_types import PT_LOAD, PT_NOTE
from crashext.dumps.kdump import KdumpDump
from crashext.dumps.source import FileSource
from crashext.errors import NotCertain, RepairError
from crashext.repair import elf, kdump
from crashext.repair.elf_layout import Core
from crashext.repair.overlay import Overlay
from crashext.vmcoreinfo import parse

from .conftest import SAMPLES, memory, planned, planned_over

MENDED = [
    "ovmf-kaslr.elf",
    "ovmf-kaslr.kdump",
    "ovmf-kaslr.flat",
    "cpus-offline.flat",
    "kexec-stale-note.flat",
    "newer-la57.flat",
    "kdump-capture.flat",
    "odd-kernel.flat",
    "ram-64g.elf",
    "arm64-uefi.elf",
    "arm64-lpa2.elf",
    "riscv64-sv57.flat",
    "s390x-panicked.flat",
    "i386-pae.flat",
    "ppc64le-radix.elf",
]
UNKNOWN = ["reset-firmware.flat", "ovmf-firmware.flat", "decompressor.flat"]


@pytest.mark.parametrize("name", MENDED)
def test_mended(name: str) -> None:
    path = SAMPLES / name
    with planned(path) as plan:
        before, patches = plan.dump, plan.file_patches()
        assert plan.changes
        # A few KB, whatever the dump's size.
        assert sum(len(p.data) for p in patches) < 1 << 17
        after = open_source(Overlay(FileSource(str(path)), patches))
        assert after.ram == before.ram
        assert list(memory(after)) == list(memory(before))
        assert after.vmcoreinfo is not None
        info, location = parse(after.vmcoreinfo), plan.location
        assert info.osrelease == location.release
        assert info.kernel_offset == location.kaslr_offset
        assert info.build_id == location.build_id
        if before.byte_order == after.byte_order:
            cpus = [(n.name, n.type, n.desc) for n in before.notes if n.name != "VMCOREINFO"]
            assert [(n.name, n.type, n.desc) for n in after.notes][: len(cpus)] == cpus


@pytest.mark.parametrize("name", MENDED)
def test_a_second_repair_changes_nothing(name: str) -> None:
    path = SAMPLES / name
    with planned(path) as plan:
        patches = plan.file_patches()
    with planned_over(path, patches) as again:
        assert (again.changes, again.patches) == ((), ())


@pytest.mark.parametrize("name", UNKNOWN)
def test_no_kernel_no_repair(name: str) -> None:
    with pytest.raises(NotCertain), planned(SAMPLES / name):
        pass


def test_right_already() -> None:
    with planned(SAMPLES / "qemu-filtered.flat") as plan:
        assert (plan.changes, plan.patches) == ((), ())


@pytest.mark.parametrize("name", ["ovmf-kaslr.elf", "arm64-uefi.elf", "ppc64le-radix.elf"])
def test_an_elf_as_tools_expect_it(name: str, tmp_path: Path) -> None:
    source = SAMPLES / name
    with planned(source) as plan:
        image = plan.mended()
        (tmp_path / name).write_bytes(image.pread(0, image.size))
    with (tmp_path / name).open("rb") as file:
        elf = ELFFile(file)
        assert elf.header.e_ehsize == elf.header.e_phoff == 64
        first, *loads = list(elf.iter_segments())
        assert first.header.p_type == "PT_NOTE"
        assert {s.header.p_type for s in loads} == {"PT_LOAD"}
        # crash reads what lies before the first memory at once.
        end = first.header.p_offset + first.header.p_filesz
        assert end <= min(s.header.p_offset for s in loads if s.header.p_filesz)
        # volatility3 can't cope with memory that is in two segments.
        ranges = sorted((s.header.p_paddr, s.header.p_memsz) for s in loads)
        assert all(a + size <= b for (a, size), (b, _) in pairwise(ranges))
        text = plan.location.text_vaddr
        places = [s.header.p_paddr for s in loads if s.header.p_vaddr == text]
        assert places == [plan.location.text_paddr]


def test_an_elf_notes_are_one_segment() -> None:
    with planned(SAMPLES / "ovmf-kaslr.elf") as plan:
        after = open_source(plan.mended())
    kinds = [s.p_type for s in after.header.segments]
    assert kinds[0] == PT_NOTE
    assert set(kinds[1:]) == {PT_LOAD}


def test_a_kdump_headers() -> None:
    path = SAMPLES / "ovmf-vmcoreinfo.flat"
    with planned(path) as plan:
        after = open_source(Overlay(FileSource(str(path)), plan.file_patches()))
    assert isinstance(after, KdumpDump)
    header = after.header
    # QEMU had read the decimal number as hexadecimal.
    assert header.phys_base == (plan.location.phys_base or 0) % (1 << 64)
    assert header.utsname.sysname == "Linux"
    assert header.utsname.release == plan.location.release
    text = after.source.pread(header.offset_vmcoreinfo, header.size_vmcoreinfo)
    assert text.strip(b"\0") == after.vmcoreinfo


def test_a_note_of_another_kernel_is_replaced() -> None:
    with planned(SAMPLES / "kexec-stale-note.flat") as plan:
        change = plan.changes[0]
    assert change.what == "VMCOREINFO"
    assert "do not fit" in str(change.old)


def test_notes_of_the_other_byte_order() -> None:
    path = SAMPLES / "ppc64le-radix.elf"
    with planned(path) as plan:
        after = open_source(Overlay(FileSource(str(path)), plan.file_patches()))
        assert (plan.dump.byte_order, after.byte_order) == ("big", "little")
        old, new = plan.dump.notes[0].desc, after.notes[0].desc
    nip = slice(112 + 32 * 8, 112 + 33 * 8)
    assert new[nip] == old[nip][::-1] != bytes(8)


def test_overlapping_segments_do_not_multiply_what_is_moved() -> None:
    """A file may have any number of segments that begin before the new headers end."""
    path = SAMPLES / "ovmf-kaslr.elf"
    with planned(path) as plan:
        assert isinstance(plan.dump, ElfDump)
        header, core = plan.dump.header, Core(64, "little", 62)
        load = next(s for s in header.segments if s.p_type == PT_LOAD and s.p_filesz)
        many = [load._replace(p_offset=n, p_paddr=n << 20) for n in range(5000)]
        many = [s._replace(p_filesz=1 << 18, p_memsz=1 << 18) for s in many]
        with pytest.raises(RepairError, match="write a new file"):
            elf._with_room(plan.dump, core, many, b"")


def test_notes_as_large_as_the_file_says_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "vmcore"
    path.write_bytes((SAMPLES / "ovmf-kaslr.kdump").read_bytes())
    os.truncate(path, 1 << 40)
    with planned(SAMPLES / "ovmf-kaslr.kdump") as plan:
        headers = plan.headers
    with open_dump(path) as dump:
        assert isinstance(dump, KdumpDump)
        dump.header = dump.header._replace(size_note=1 << 39)
        changes, _ = kdump.mend(dump, headers)
    assert "size_note" in [change.what for change in changes]
