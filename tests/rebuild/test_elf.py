# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that is written, as pyelftools and binutils read it."""

from __future__ import annotations

import os
import shutil
import subprocess
from array import array
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from crashext.kernel.symbols import KernelSymbols
from crashext.rebuild.code import Code
from crashext.rebuild.elf.file import Contents, Extra, write_file
from crashext.rebuild.elf.headers import Target
from crashext.rebuild.elf.symtab import symbol_table
from crashext.rebuild.layout import Extent, Section, sections
from crashext.repair.write.sink import FileSink
from crashext.symbols.kallsyms import Symbols
from crashext.symbols.vmlinux import Vmlinux

LINKED, MOVED = 0x8100_0000, 0x300_0000
TARGETS = {
    "little 64": Target("little", 8, 62),
    "big 64": Target("big", 8, 22),
    "little 32": Target("little", 4, 3),
    "big 32": Target("big", 4, 40),
}
#: name, nm's letter, linked address.
KNOWN = [
    ("__per_cpu_start", "D", 0),
    ("fixed_percpu_data", "D", 0),
    ("runqueues", "D", 0x1000),
    ("__per_cpu_end", "D", 0x2000),
    ("_text", "T", LINKED),
    ("_stext", "T", LINKED),
    ("start_kernel", "T", LINKED + 0x100),
    ("helper", "t", LINKED + 0x180),
    ("weak_one", "W", LINKED + 0x200),
    ("_etext", "T", LINKED + 0xE02),
    ("__start_rodata", "R", LINKED + 0x2000),
    ("linux_banner", "R", LINKED + 0x2100),
    ("__start_notes", "R", LINKED + 0x2800),
    ("__stop_notes", "R", LINKED + 0x2824),
    ("__end_rodata", "R", LINKED + 0x3000),
    ("_sdata", "D", LINKED + 0x4000),
    ("init_task", "D", LINKED + 0x4040),
    ("_edata", "D", LINKED + 0x5000),
    ("__init_begin", "D", LINKED + 0x6000),
    ("_sinittext", "T", LINKED + 0x6000),
    ("_einittext", "T", LINKED + 0x6800),
    ("__init_end", "D", LINKED + 0x7000),
    ("__bss_start", "B", LINKED + 0x7000),
    ("__bss_stop", "B", LINKED + 0x8000),
    ("_end", "B", LINKED + 0x8000),
    ("far_away", "D", LINKED + 0x9000),
]
BANNER = b"Linux version 6.1.0 (a@b) #1 SMP\n\0"
NOTE_ID = bytes(range(20))


def run(linked: int) -> int:
    return linked + MOVED if linked >= LINKED else linked


def table() -> Symbols:
    names, kinds, places = zip(*KNOWN, strict=True)
    vaddrs = array("Q", map(run, places))
    return Symbols(list(names), bytearray("".join(kinds).encode()), vaddrs, 0)


def image(order: str) -> bytes:
    """Memory from ``_text`` on: each word tells where it is."""
    memory = bytearray(os.urandom(0x8000))
    memory[0x2100 : 0x2100 + len(BANNER)] = BANNER
    head = b"".join(n.to_bytes(4, order) for n in (4, 20, 3))  # type: ignore[arg-type]
    memory[0x2800:0x2824] = head + b"GNU\0" + NOTE_ID
    return bytes(memory)


def placed() -> tuple[Section, ...]:
    by_name = {name: run(linked) for name, _, linked in KNOWN}

    def vaddr(*names: str) -> int | None:
        return next((by_name[n] for n in names if n in by_name), None)

    return sections(vaddr, Extent(run(LINKED), run(LINKED + 0x8000), MOVED))


def written(path: Path, target: Target, *, kept: bool = True, extras: int = 1) -> bytes:
    memory = image(target.byte_order)
    parts = placed()
    known = table()
    rooms = KernelSymbols(known).rooms
    symbols = symbol_table(
        known, parts, MOVED, rooms, byte_order=target.byte_order, word=target.word
    )
    more = [Extra(f".extra{n}", [b"some", b"thing"] * (1000 * n)) for n in range(extras)]

    def read(vaddr: int, size: int) -> bytes:
        start = vaddr - run(LINKED)
        return memory[start : start + size]

    with path.open("wb") as file:
        sink = FileSink(file.fileno())
        contents = Contents(target, parts, symbols, more)
        write_file(sink, contents, read, lambda s: s.is_kept and (kept or s.kind == "note"))
    return memory


@pytest.mark.parametrize("name", TARGETS)
def test_sections_symbols_and_bytes(name: str, tmp_path: Path) -> None:
    target, path = TARGETS[name], tmp_path / "vmlinux"
    memory = written(path, target, extras=3)
    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        assert (elf.elfclass, elf.little_endian) == (target.word * 8, target.byte_order == "little")
        for name_, start in ((".text", 0), (".rodata", 0x2000), (".data", 0x4000)):
            section = elf.get_section_by_name(name_)
            assert section["sh_addr"] == LINKED + start
            assert section.data() == memory[start : start + section["sh_size"]]
        assert elf.get_section_by_name(".bss")["sh_type"] == "SHT_NOBITS"
        assert elf.get_section_by_name(".extra2").data() == b"something" * 2000
        symtab = elf.get_section_by_name(".symtab")
        found = {s.name: s for s in symtab.iter_symbols() if s.name}
        assert {n: s["st_value"] for n, s in found.items()} == {
            n: linked for n, _, linked in KNOWN if n != "far_away"
        }
        binds = [s["st_info"]["bind"] for s in symtab.iter_symbols()]
        assert (
            binds.index("STB_GLOBAL")
            >= symtab["sh_info"]
            > max(i for i, bind in enumerate(binds) if bind == "STB_LOCAL")
        )
        assert found["start_kernel"]["st_size"] == 0x80
        assert found["start_kernel"]["st_info"]["type"] == "STT_FUNC"
        assert found["init_task"]["st_info"]["type"] == "STT_OBJECT"
        assert found["weak_one"]["st_info"]["bind"] == "STB_WEAK"
        assert found["_etext"]["st_info"]["type"] == "STT_NOTYPE"
        assert found["_etext"]["st_size"] == 0
        for symbol in found.values():
            section = elf.get_section(symbol["st_shndx"])
            end = section["sh_addr"] + section["sh_size"]
            assert section["sh_addr"] <= symbol["st_value"] <= end
            assert symbol["st_value"] + symbol["st_size"] <= end


def test_segments_hold_what_the_sections_do(tmp_path: Path) -> None:
    """The first and the last are the image's; a per-CPU area at 0 lies between them."""
    path = tmp_path / "vmlinux"
    written(path, TARGETS["little 64"])
    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        loads = list(elf.iter_segments("PT_LOAD"))
        assert loads[0]["p_vaddr"] == LINKED
        assert loads[-1]["p_vaddr"] + loads[-1]["p_memsz"] == LINKED + 0x8000
        assert 0 in [load["p_vaddr"] for load in loads[1:-1]]
        for section in elf.iter_sections():
            if section["sh_flags"] & 2 and section["sh_type"] != "SHT_NOBITS":
                assert any(load.section_in_segment(section) for load in loads), section.name
        (note,) = elf.iter_segments("PT_NOTE")
        assert [n["n_desc"] for n in note.iter_notes()] == [NOTE_ID.hex()]


@pytest.mark.skipif(not shutil.which("readelf"), reason="no binutils")
@pytest.mark.parametrize("kept", [True, False])
def test_binutils_have_nothing_to_complain_of(kept: bool, tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    written(path, TARGETS["little 64"], kept=kept)
    for command in (["readelf", "-aW"], ["objdump", "-hp"], ["nm", "-S"]):
        done = subprocess.run([*command, path], capture_output=True, text=True, check=True)
        assert "arning" not in done.stdout + done.stderr


def test_what_is_not_kept_is_a_hole_that_nobody_takes_for_code(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    written(path, TARGETS["little 64"], kept=False)
    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        assert not elf.get_section_by_name(".text").data().strip(b"\0")
    with Vmlinux(str(path)) as vmlinux:
        assert vmlinux.read(LINKED + 0x100, 16) is None
        assert vmlinux.build_id == NOTE_ID.hex()
        assert vmlinux.symbol("start_kernel") == LINKED + 0x100


def test_our_own_reader(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    memory = written(path, TARGETS["little 64"])
    with Vmlinux(str(path)) as vmlinux:
        assert vmlinux.banner == BANNER[:-1]
        assert vmlinux.read(LINKED + 0x4040, 64) == memory[0x4040:0x4080]
        assert vmlinux.read(LINKED + 0x6000, 16) is None  # freed after boot


def test_sections_lie_side_by_side() -> None:
    found = placed()
    inside = [section for section in found if section.start >= LINKED]
    assert (inside[0].start, inside[-1].end) == (LINKED, LINKED + 0x8000)
    assert all(a.end == b.start for a, b in pairwise(inside))
    assert len({section.name for section in found}) == len(found)
    assert all(s.run == s.start + MOVED for s in inside if s.is_kept)
    assert {s.name for s in found} >= {".data..percpu", ".init.text", ".notes", ".rodata", ".text"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"_etext": 0},
        {"__end_rodata": 1 << 63},
        {"__start_rodata": LINKED - 0x1000},
        {"_sdata": LINKED + 0x5000, "_edata": LINKED + 0x4000},
        {"__per_cpu_end": (1 << 64) - 1},
        {"__per_cpu_end": LINKED - 1},
        {"__init_end": LINKED + 0x100_0000},
    ],
)
def test_bounds_that_cannot_be_are_left_out(wrong: dict[str, int]) -> None:
    """They are what a guest says."""
    by_name = {name: linked for name, _, linked in KNOWN} | wrong

    def vaddr(*names: str) -> int | None:
        return next((by_name[n] for n in names if n in by_name), None)

    found = sections(vaddr, Extent(LINKED, LINKED + 0x8000, 0))
    inside = [section for section in found if section.name != ".data..percpu"]
    assert sum(section.size for section in found) < 1 << 20
    assert (inside[0].start, inside[-1].end) == (LINKED, LINKED + 0x8000)
    assert all(0 < section.size <= 0x8000 for section in inside)


def test_code_that_no_kernel_has_is_not_held() -> None:
    """A guest says where its text ends."""
    section = Section(".text", "text", LINKED, LINKED + (1 << 30), LINKED)
    code = Code(section, lambda _vaddr, _size: pytest.fail("it was copied"))
    assert code.read(LINKED, 16) is None
    assert code.sizes({LINKED: 64}, lambda _code: 0) == {}
