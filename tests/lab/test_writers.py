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
from crashext.symbols.vmlinux import Vmlinux
from lab.elf_format import MACHINES, SHT_NOTE, SHT_PROGBITS, ByteOrder, ElfFormat
from lab.elf_writer import Segment, write_core
from lab.kdump_writer import KdumpFacts, write_kdump
from lab.vmlinux_writer import (
    FullVmlinux,
    Symbol,
    _file,
    _Section,
    _symbol_sections,
    write_vmlinux,
)

RAM = ((0, 0xA0000), (0x100000, 0x4000000), (0xFFFC0000, 0x100000000))
PAGES = {
    0x0: b"first".ljust(4096, b"\0"),
    0x9F000: b"last of a range".ljust(4096, b"."),
    0x200000: bytes(range(256)) * 16,
    0x201000: bytes(4096),
    0x300000: bytes(4096),
    0xFFFFF000: os.urandom(4096),
}
ELF = ElfFormat(MACHINES["x86_64"])
NOTES = ELF.note("CORE", 1, bytes(336)) + ELF.note("QEMU", 0, bytes(440))
INFO = b"OSRELEASE=6.1\nPAGESIZE=4096\n"


def _write(path: Path) -> None:
    with path.open("wb") as file:
        if path.suffix == ".elf":
            segments = [Segment(start, end, start) for start, end in RAM]
            notes = NOTES + ELF.note("VMCOREINFO", 0, INFO)
            write_core(file, ELF, notes=notes, segments=segments, pages=PAGES)
        else:
            notes = NOTES + ELF.note("VMCOREINFO", 0, INFO)
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
        write_core(file, ELF, notes=NOTES, segments=[segment], pages=PAGES, section_headers=False)
    with open_dump(str(path)) as dump:
        loads = [load for load in dump.header.segments if load.p_type == 1]
        assert {load.p_vaddr - load.p_paddr for load in loads} == {0xFFFF888000000000}
        assert {load.p_flags for load in loads} == {7}
        assert dump.header.e_phoff == 64


@pytest.mark.parametrize("name", ["x.elf", "x.flat", "x.kdump"])
def test_a_dump_of_the_other_byte_order(name: str, tmp_path: Path) -> None:
    path, elf = tmp_path / name, ElfFormat(MACHINES["s390x"], "big")
    notes = elf.note("CORE", 1, bytes(336)) + elf.note("VMCOREINFO", 0, INFO)
    with path.open("wb") as file:
        if path.suffix == ".elf":
            segments = [Segment(start, end, start) for start, end in RAM]
            write_core(file, elf, notes=notes, segments=segments, pages=PAGES)
        else:
            place = (notes.index(INFO), len(INFO))
            facts = KdumpFacts(byte_order="big", notes=notes, vmcoreinfo=place)
            write_kdump(file, facts, ram=RAM, pages=PAGES, flattened=path.suffix == ".flat")
    with open_dump(str(path)) as dump:
        assert dump.byte_order == "big"
        assert [(note.name, note.type) for note in dump.notes] == [("CORE", 1), ("VMCOREINFO", 0)]
        assert dump.vmcoreinfo == INFO
        assert {paddr: dump.read(paddr, 4096) for paddr in PAGES} == PAGES


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_a_vmlinux_of_any_word_size(wide: bool, byte_order: ByteOrder, tmp_path: Path) -> None:
    elf, source, out = ElfFormat(22, byte_order, wide), tmp_path / "source", tmp_path / "out"
    text, banner = 0xC1000000, b"Linux version 6.1 (a@b) #1\n\0"
    places = {"_text": text, "linux_banner": text + 0x1000, "phys_base": text + 0x1100}
    symbols = [Symbol(name, value, 8, 0x11) for name, value in places.items()]
    sections = [
        _Section("", 0, b""),
        _Section(".text", SHT_PROGBITS, bytes(range(64)), text),
        _Section(".rodata", SHT_PROGBITS, banner.ljust(1024, b"\0"), places["linux_banner"]),
        _Section(".notes", SHT_NOTE, elf.note("GNU", 3, bytes(range(20))), text + 0x2000),
        *_symbol_sections(elf, symbols, strtab=5),
    ]
    source.write_bytes(_file(elf, sections))
    full = FullVmlinux(source)
    assert full.format == elf
    write_vmlinux(full, places, out)
    with Vmlinux(str(out)) as vmlinux:
        assert {name: vmlinux.symbol(name) for name in places} == places
        assert vmlinux.banner == banner.rstrip(b"\0")
        assert vmlinux.build_id == bytes(range(20)).hex()


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
