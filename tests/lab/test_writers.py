# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample writers, read back by the project's reader and by other tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from crashext import open_dump
from crashext.errors import ExcludedPage, MissingMemory
from lab.elf_writer import Segment, pack_note, write_core
from lab.kdump_writer import KdumpFacts, write_kdump

RAM = ((0, 0xA0000), (0x100000, 0x4000000), (0xFFFC0000, 0x100000000))
PAGES = {
    0x0: b"first".ljust(4096, b"\0"),
    0x9F000: b"last of a range".ljust(4096, b"."),
    0x200000: bytes(range(256)) * 16,
    0x201000: bytes(4096),
    0x300000: bytes(4096),
    0xFFFFF000: os.urandom(4096),
}
NOTES = pack_note("CORE", 1, bytes(336)) + pack_note("QEMU", 0, bytes(440))
INFO = b"OSRELEASE=6.1\nPAGESIZE=4096\n"


def _write(path: Path) -> None:
    with path.open("wb") as file:
        if path.suffix == ".elf":
            segments = [Segment(start, end, start) for start, end in RAM]
            notes = NOTES + pack_note("VMCOREINFO", 0, INFO)
            write_core(file, notes=notes, segments=segments, pages=PAGES)
        else:
            notes = NOTES + pack_note("VMCOREINFO", 0, INFO)
            facts = KdumpFacts(
                nr_cpus=1, notes=notes, vmcoreinfo=(notes.index(INFO), len(INFO)), phys_base=-4096
            )
            flat = path.suffix == ".flat"
            write_kdump(file, facts, ram=RAM, pages=PAGES, flattened=flat)


@pytest.fixture(params=["x.elf", "x.kdump", "x.flat"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    _write(path)
    return path


def test_pages_and_layout_come_back(written: Path) -> None:
    with open_dump(str(written)) as dump:
        assert tuple((extent.start, extent.end) for extent in dump.ram) == RAM
        assert [note.name for note in dump.notes] == ["CORE", "QEMU", "VMCOREINFO"]
        assert dump.vmcoreinfo == INFO
        assert dump.complete
        for paddr, page in PAGES.items():
            assert dump.read(paddr, 4096) == page


def test_other_pages_are_left_out_not_zero(written: Path) -> None:
    with open_dump(str(written)) as dump:
        for paddr in (0x1000, 0x100000, 0x202000, 0xFFFC0000):
            with pytest.raises(ExcludedPage):
                dump.read(paddr, 1)


def test_a_hole_is_no_memory(written: Path) -> None:
    with open_dump(str(written)) as dump, pytest.raises(MissingMemory) as missing:
        dump.read(0xA0000, 1)
    assert not isinstance(missing.value, ExcludedPage)


def test_a_kdump_without_pages_opens(tmp_path: Path) -> None:
    for flattened in (False, True):
        path = tmp_path / f"empty-{flattened}"
        with path.open("wb") as file:
            write_kdump(file, KdumpFacts(notes=NOTES), ram=RAM, pages={}, flattened=flattened)
        with open_dump(str(path)) as dump:
            assert dump.ram_bytes == sum(end - start for start, end in RAM)


def test_a_vmcore_keeps_addresses_and_rights(tmp_path: Path) -> None:
    path = tmp_path / "x.elf"
    segment = Segment(0x100000, 0x400000, 0xFFFF888000100000, flags=7)
    with path.open("wb") as file:
        write_core(file, notes=NOTES, segments=[segment], pages=PAGES, section_headers=False)
    with open_dump(str(path)) as dump:
        loads = [load for load in dump.header.segments if load.p_type == 1]
        assert {load.p_vaddr - load.p_paddr for load in loads} == {0xFFFF888000000000}
        assert {load.p_flags for load in loads} == {7}
        assert dump.header.e_phoff == 64


@pytest.mark.skipif(shutil.which("makedumpfile") is None, reason="makedumpfile is not installed")
def test_makedumpfile_rebuilds_the_flattened_form(tmp_path: Path) -> None:
    flat, plain, rebuilt = (tmp_path / name for name in ("x.flat", "x.kdump", "rebuilt"))
    _write(flat)
    _write(plain)
    with flat.open("rb") as source:
        subprocess.run(
            ["makedumpfile", "-R", str(rebuilt)], stdin=source, check=True, capture_output=True
        )
    assert rebuilt.read_bytes() == plain.read_bytes()


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not installed")
def test_readelf_finds_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "x.elf"
    _write(path)
    done = subprocess.run(
        ["readelf", "-hlSWn", str(path)], capture_output=True, text=True, check=True
    )
    assert "CORE (Core file)" in done.stdout
    assert "NT_PRSTATUS" in done.stdout
    assert ".shstrtab" in done.stdout
    assert done.stderr == ""
