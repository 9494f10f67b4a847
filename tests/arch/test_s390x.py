# SPDX-License-Identifier: GPL-3.0-or-later
"""s390x's notes and page tables, laid out as the Principles of Operation have them."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from crashext.arch.base import Paging
from crashext.arch.s390x import S390x, layout, lowcore
from crashext.arch.s390x.paging import PageTables
from crashext.arch.s390x.registers import cpu_states
from crashext.dumps.base import Note
from crashext.vmcoreinfo import parse

from .physical import Physical

MIB = 1 << 20
SEGMENT_TABLE_ONLY, THREE, FOUR, FIVE = layout.PAGINGS
ROOT, SECOND, SEGMENTS, PAGES = 0x10000, 0x20000, 0x30000, 0x40000
FULL, PROTECT, NO_EXECUTE, LARGE, INVALID = 3, 0x200, 0x100, 0x400, 0x20


def status(mask: int = 0x0706C001 << 32, pc: int = 0xA31C36, sp: int = 0x37FFFD13DA0) -> Note:
    desc = bytearray(336)
    struct.pack_into(">2Q", desc, 112, mask, pc)
    struct.pack_into(">Q", desc, 112 + 16 + 15 * 8, sp)
    return Note("CORE", 1, bytes(desc), 0)


def control(**values: int) -> Note:
    numbers = {int(name.removeprefix("cr")): value for name, value in values.items()}
    registers = [numbers.get(n, 0) for n in range(16)]
    return Note("LINUX", 0x304, struct.pack(">16Q", *registers), 0)


def test_each_vcpu_has_the_notes_up_to_the_next_status() -> None:
    prefix = Note("LINUX", 0x305, b"\x01\x9a\0\0", 0)
    kernel, user, bare = cpu_states(
        (
            status(), Note("CORE", 2, bytes(136), 0), prefix,
            control(cr0=0x14166A10, cr1=0x1290007, cr13=0x1290007),
            status(mask=0x0705000180000000), control(cr0=1, cr1=0x4941C7, cr13=0x1290007),
            status(),
        )
    )  # fmt: skip
    assert (kernel.pc, kernel.sp, kernel.prefix) == (0xA31C36, 0x37FFFD13DA0, 0x19A0000)
    assert kernel.roots(1 << 30) == user.roots(1 << 30) == (0x1290000,)
    assert kernel.paging == user.paging == THREE
    assert (kernel.mode, user.mode) == ("supervisor state, waiting", "problem state")
    assert (kernel.known, bare.known, bare.paging, bare.prefix) == (True, False, None, None)
    assert kernel.roots(0x1000000) == ()


@pytest.mark.parametrize(("kind", "paging"), list(enumerate(layout.PAGINGS)))
def test_the_control_element_tells_the_levels(kind: int, paging: Paging) -> None:
    (cpu,) = cpu_states((status(), control(cr0=1, cr13=0x1290003 | kind << 2)))
    assert cpu.paging == paging


def test_what_no_kernel_has_set_up() -> None:
    never, reset, real_space, short = cpu_states(
        (
            status(0, 0), control(),
            status(0, 0x200), control(cr0=0xE0, cr14=0xC2000000),
            status(), control(cr0=1, cr13=0x1290027),
            status(), Note("LINUX", 0x304, bytes(64), 0),
        )
    )  # fmt: skip
    assert (never.empty, reset.empty) == (True, False)
    assert (reset.known, reset.paging, reset.mode) == (True, None, "supervisor state without DAT")
    assert real_space.paging is None
    assert not short.known
    assert cpu_states((Note("CORE", 1, bytes(64), 0),)) == ()


def mapped(paging: Paging) -> Physical:
    """``paging``'s tables for the first MiB, with one page at 0x3000."""
    memory = Physical()
    tables = [ROOT, SECOND, SEGMENTS][4 - paging.levels :]
    for table in tables:
        memory.fill(table, [INVALID] * 2048)
    for upper, lower in pairwise(tables):
        memory.entry(upper, 0, lower | FULL)
    memory.entry(tables[-1], 0, PAGES)
    memory.fill(PAGES, [0x400] * 256)
    memory.entry(PAGES, 3, 0x5A000)
    return memory


@pytest.mark.parametrize("paging", [SEGMENT_TABLE_ONLY, THREE, FOUR])
def test_a_page(paging: Paging) -> None:
    root = {2: SEGMENTS, 3: SECOND, 4: ROOT}[paging.levels]
    tables = PageTables(mapped(paging).memory(), root, paging)
    assert tables.translate(0x3123) == 0x5A123
    assert tables.translate(0x4000) is None
    assert not tables.lost(0x4000)
    assert tables.translate(1 << paging.va_bits) is None


def test_frames_of_1_mib_and_2_gib() -> None:
    memory = mapped(THREE)
    memory.entry(SEGMENTS, 5, 0x12300000 | LARGE)
    memory.entry(SECOND, 1, 0x180000000 | LARGE)
    tables = PageTables(memory.memory(), SECOND, THREE)
    assert tables.translate(5 * MIB + 0x345) == 0x12300345
    assert tables.translate((1 << 31) + 0x1234567) == 0x181234567


def test_quarters_of_a_table_that_are_not_there() -> None:
    memory = mapped(THREE)
    for index in (0, 512):
        memory.entry(SEGMENTS, index, 0x12300000 | LARGE)
    memory.entry(SECOND, 0, SEGMENTS | 0)  # the first quarter alone
    tables = PageTables(memory.memory(), SECOND, THREE)
    assert tables.translate(0) == 0x12300000
    assert tables.translate(512 * MIB) is None
    memory.entry(SECOND, 0, SEGMENTS | FULL | 1 << 6)  # the first quarter is missing
    tables = PageTables(memory.memory(), SECOND, THREE)
    assert tables.translate(0) is None
    assert tables.translate(512 * MIB) == 0x12300000


def test_a_table_that_the_dump_lacks() -> None:
    memory = mapped(THREE)
    memory.entry(SEGMENTS, 1, 0x7000000)
    tables = PageTables(memory.memory(), SECOND, THREE)
    assert tables.translate(MIB) is None
    assert tables.lost(MIB)


def identity(text: int, size: int = 8 * MIB, amode31: int = 0) -> Physical:
    """32 MiB mapped as they are, the text at ``text`` read-only and executable.

    ``amode31`` pages before it are so too; 1 MiB behind it is read-only data.
    """
    memory = mapped(THREE)
    for segment in range(32):
        entries = []
        for vaddr in range(segment * MIB, (segment + 1) * MIB, 4096):
            rights = NO_EXECUTE
            if text - amode31 * 4096 <= vaddr < text + size:
                rights = PROTECT
            elif text + size <= vaddr < text + size + MIB:
                rights |= PROTECT
            entries.append(vaddr | rights)
        memory.entry(SEGMENTS, segment, 0x100000 + segment * 0x1000)
        memory.fill(0x100000 + segment * 0x1000, entries)
    return memory


@pytest.mark.parametrize("amode31", [0, 3])
@pytest.mark.parametrize("near", [None, 0x804000])
def test_the_image_in_the_identity_mapping(near: int | None, amode31: int) -> None:
    memory = identity(0x804000, amode31=amode31)
    root = 0x1400000
    memory.fill(root, [SEGMENTS | FULL, *[INVALID] * 2047])
    runs = PageTables(memory.memory(), root, THREE).image_runs(near)
    assert [(r.vaddr, r.paddr, r.size, r.writable, r.executable) for r in runs[:2]] == [
        (0x804000, 0x804000, 8 * MIB, False, True),
        (0x1004000, 0x1004000, MIB, False, False),
    ]


def own_mapping() -> tuple[Physical, int]:
    """The identity mapping without rights, and the image at the top: 2 MiB frames of text."""
    memory, root, top = identity(0, 0), 0x1400000, 0x50000
    memory.fill(root, [SEGMENTS | FULL, *[INVALID] * 2046, top | FULL])
    entries = [INVALID] * 2048
    for number in range(12):
        rights = PROTECT if number < 8 else NO_EXECUTE
        entries[2036 + number] = 0x900000 + number * MIB | LARGE | rights
    memory.fill(top, entries)
    return memory, root


def test_the_image_in_a_mapping_of_its_own() -> None:
    memory, root = own_mapping()
    text, bss = PageTables(memory.memory(), root, THREE).image_runs(None)
    assert (text.vaddr, text.paddr, text.size) == ((1 << 42) - 12 * MIB, 0x900000, 8 * MIB)
    assert (bss.writable, bss.executable) == (True, False)


@pytest.mark.parametrize("paging", layout.PAGINGS)
@pytest.mark.parametrize("entry", [ROOT | FULL, ROOT | LARGE, ROOT, 0, (1 << 64) - 0x21])
def test_tables_that_lead_to_themselves_cost_little(paging: Paging, entry: int) -> None:
    memory = Physical()
    memory.fill(ROOT, [entry] * 2048)
    counted = memory.memory()
    tables = PageTables(counted, ROOT, paging)
    for near in (None, 0, 0x12345000, (1 << 42) - MIB):
        tables.image_runs(near)
        tables.translate(near or 0)
    assert counted.pages_read < 700


INFO = """OSRELEASE=6.12.0-test
SYMBOL(swapper_pg_dir)=3fffff40000
SYMBOL(_stext)=3fffe954000
IDENTITYBASE=0
KERNELOFFSET=3fffe854000
KERNELOFFPHYS=754000
"""


def with_lowcore(pointer: int, text: str = INFO, name: bytes = b"VMCOREINFO\0\0") -> Physical:
    memory = Physical()
    memory.entry(0xE0C, 0, pointer)
    memory.write(0x6C2000, struct.pack(">3I", 11, len(text), 0) + name + text.encode())
    return memory


def test_the_lowcore_leads_to_vmcoreinfo() -> None:
    found = lowcore.vmcoreinfo(with_lowcore(0x6C2000).memory())
    assert found is not None
    assert found[0] == 0x6C2018
    assert layout.said_voffset(found[1]) == 0x3FFFE100000


@pytest.mark.parametrize("pointer", [0, 0x754001, 0x6C3000, (1 << 64) - 4, 0x6C2FFC])
def test_the_lowcore_leads_nowhere(pointer: int) -> None:
    assert lowcore.vmcoreinfo(with_lowcore(pointer).memory()) is None
    assert lowcore.vmcoreinfo(with_lowcore(0x6C2000, name=b"VMCOREINFX\0\0").memory()) is None
    assert lowcore.vmcoreinfo(with_lowcore(0x6C2000, text="nothing").memory()) is None


def test_placements() -> None:
    assert layout.said_voffset(parse(b"OSRELEASE=6.1.0\nKERNELOFFSET=12340000\n")) == 0
    assert layout.said_voffset(parse(b"OSRELEASE=6.12.0\nKERNELOFFPHYS=754000\n")) is None
    assert layout.stored_voffset(0x3FFFE854000, 0x854000) == 0x3FFFE100000
    assert layout.stored_voffset(0x12340000, 0x12440000) == 0
    assert not S390x().is_voffset(layout.stored_voffset(0, 0x12440000), 1 << 30)
