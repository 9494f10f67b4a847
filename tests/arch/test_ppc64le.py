# SPDX-License-Identifier: GPL-3.0-or-later
"""ppc64le's notes, its radix tree, and what is there with the hash MMU."""

from __future__ import annotations

import struct

import pytest

from crashext.arch.base import Paging, Run
from crashext.arch.ppc64le import Ppc64le, layout
from crashext.arch.ppc64le.paging import LinearMapping, RadixTables
from crashext.arch.ppc64le.registers import cpu_states
from crashext.dumps.base import Note

from .physical import Physical

START = layout.PAGE_OFFSET
MIB = 1 << 20
ROOT, UPPER, MIDDLE, LOWEST = 0x2740000, 0x100000, 0x200000, 0x300000
VALID, LEAF, READ_EXECUTE, READ_WRITE = 1 << 63, 1 << 62, 5, 6
RAM = 512 * MIB


def status(order: str, pc: int, sp: int = START + 0x26AFD40, msr: int = 0x800000000280B033) -> Note:
    desc = bytearray(504)
    mark = "<" if order == "little" else ">"
    struct.pack_into(f"{mark}Q", desc, 112 + 8, sp)
    struct.pack_into(f"{mark}2Q", desc, 112 + 32 * 8, pc, msr)
    return Note("CORE", 1, bytes(desc), 0)


@pytest.mark.parametrize("order", ["little", "big"])
def test_registers_in_either_byte_order(order: str) -> None:
    kernel, user, real = cpu_states(
        (
            status(order, START + 0xA6D430),
            Note("CORE", 2, bytes(264), 0),
            status(order, 0x1017929C, msr=0x800000000280F033),
            status(order, 0x7E00, msr=0x8000000000001001),
        )
    )
    assert (kernel.pc, kernel.sp) == (START + 0xA6D430, START + 0x26AFD40)
    assert kernel.mode == "supervisor state"
    assert user.mode == "problem state"
    assert real.mode == "supervisor state, real mode"
    assert not kernel.known
    assert kernel.roots(RAM) == ()


def test_short_and_wiped_notes() -> None:
    assert cpu_states((Note("CORE", 1, bytes(336), 0),)) == ()
    (cpu,) = cpu_states((Note("CORE", 1, bytes(504), 0),))
    assert cpu.empty


def tree(paging: Paging) -> Physical:
    """2 MiB of text, 2 MiB of data, and small pages from 6 MiB on."""
    memory = Physical()
    for table in (ROOT, UPPER, MIDDLE, LOWEST):
        memory.fill(table, [0] * 512)
    last = 5 if paging.page_size > 4096 else 9
    memory.entry(ROOT, 0, VALID | UPPER | 9)
    memory.entry(UPPER, 0, VALID | MIDDLE | 9)
    memory.entry(MIDDLE, 0, VALID | LEAF | READ_EXECUTE)
    memory.entry(MIDDLE, 1, VALID | LEAF | 2 * MIB | READ_WRITE)
    memory.entry(MIDDLE, 3, VALID | LOWEST | last)
    memory.entry(LOWEST, 1, VALID | LEAF | 0x7770000 | READ_WRITE)
    return memory


@pytest.mark.parametrize("paging", [layout.RADIX_64K, layout.RADIX_4K])
def test_the_radix_tree(paging: Paging) -> None:
    tables = RadixTables(tree(paging).memory("little"), ROOT, paging)
    assert tables.translate(START + 0x123456) == 0x123456
    assert tables.translate(START + 6 * MIB + paging.page_size + 0x123) == 0x7770123
    assert tables.translate(START + 4 * MIB) is None
    assert not tables.lost(START + 4 * MIB)
    assert tables.translate(0x123456) is None
    assert tables.translate(START | 1 << 53) is None
    assert tables.image_runs(None) == ()
    assert tables.image_runs(START + 0x123) == (
        Run(START, 0, 2 * MIB, writable=False, executable=True),
        Run(START + 2 * MIB, 2 * MIB, 2 * MIB, writable=True, executable=False),
    )


def test_a_tree_of_the_other_page_size_or_the_hash_mmu_is_none() -> None:
    small = RadixTables(tree(layout.RADIX_4K).memory("little"), ROOT, layout.RADIX_64K)
    assert small.translate(START + 6 * MIB + 0x10000) is None
    hashed = RadixTables(hash_tree().memory("little"), ROOT, layout.RADIX_64K)
    assert hashed.translate(START) is None


def test_a_radix_table_that_the_dump_lacks() -> None:
    memory = tree(layout.RADIX_64K)
    memory.entry(MIDDLE, 4, VALID | 0x9000000 | 5)
    tables = RadixTables(memory.memory("little"), ROOT, layout.RADIX_64K)
    assert tables.translate(START + 8 * MIB) is None
    assert tables.lost(START + 8 * MIB)


@pytest.mark.parametrize("paging", [layout.RADIX_64K, layout.RADIX_4K])
@pytest.mark.parametrize("entry", [VALID | ROOT | 9, VALID | ROOT | 5, VALID | LEAF, (1 << 64) - 1])
def test_radix_tables_that_lead_to_themselves_cost_little(paging: Paging, entry: int) -> None:
    memory = Physical()
    memory.fill(ROOT, [entry] * 8192)
    counted = memory.memory("little")
    tables = RadixTables(counted, ROOT, paging)
    for near in (START, START + 64 * MIB, START + (1 << 51)):
        assert len(tables.image_runs(near)) <= 64 * MIB // 4096
        tables.translate(near)
    assert counted.pages_read < 200


def hash_tree() -> Physical:
    memory = Physical()
    memory.fill(ROOT, [0] * 8192)
    for index in (0x80, 0x9F, 0xA0):
        memory.entry(ROOT, index, VALID | 0x2940000)
    return memory


def test_the_hash_mmus_linear_mapping() -> None:
    memory = hash_tree().memory("little")
    tables = Ppc64le().tables(memory, ROOT, layout.HASH_64K, RAM)
    assert isinstance(tables, LinearMapping)
    assert tables.translate(START + 0x123456) == 0x123456
    assert tables.translate(START + RAM) is None
    assert tables.translate(0x123456) is None
    (run,) = tables.image_runs(START + 480 * MIB)
    assert (run.vaddr, run.paddr, run.size) == (START + 480 * MIB, 480 * MIB, 32 * MIB)
    assert tables.image_runs(None) == ()


def test_only_a_tree_of_the_hash_mmu_makes_it_one() -> None:
    empty = Physical()
    empty.fill(ROOT, [0] * 8192)
    for memory in (tree(layout.RADIX_64K), empty, Physical()):
        tables = Ppc64le().tables(memory.memory("little"), ROOT, layout.HASH_64K, RAM)
        assert tables.translate(START) is None
        assert tables.image_runs(START) == ()


def test_placements() -> None:
    assert layout.stored_voffset(0x2000000, 0x2000000) == START
    assert not Ppc64le().is_voffset(layout.stored_voffset(0, 0x2000000), RAM)
