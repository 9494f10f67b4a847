# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of exported symbols, in each way in which kernels have stored them."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Sequence

import pytest

from crashext.symbols.exports import Exports, read_exports
from crashext.symbols.kallsyms import Layout

VADDR = 0xFFFF_8000_0900_0000
ANCHOR = "schedule_timeout_uninterruptible"
TABLE, NAMES = 0x800, 0x8000
_LITTLE, _BIG = Layout("little", 8), Layout("big", 8)
FORMS = [
    *((relative, fields, _LITTLE) for relative in (True, False) for fields in (3, 2)),
    *((True, 3, _BIG), (False, 3, Layout("little", 4)), (False, 3, Layout("big", 4))),
]


def names(number: int) -> list[str]:
    return sorted([ANCHOR, *(f"exported_{n:04}" for n in range(number)), "init_task"])


def address(name: str) -> int:
    return VADDR + 0x100000 + 16 * sum(map(ord, name)) + len(name)


def block(
    relative: bool, fields: int, layout: Layout, tables: Sequence[Sequence[str]]
) -> bytearray:
    """Tables side by side from TABLE on, and the names from NAMES on; the first is empty."""
    out = bytearray(0x10000)
    mark = "<" if layout.byte_order == "little" else ">"
    vaddr = VADDR if layout.word == 8 else VADDR & 0xFFFF_FFFF
    unit = 4 if relative else layout.word
    code = "i" if relative else ("Q" if layout.word == 8 else "I")
    at, name_at = TABLE, NAMES + 1
    for table in tables:
        for name in table:
            raw = name.encode() + b"\0"
            out[name_at : name_at + len(raw)] = raw
            value = address(name) if layout.word == 8 else address(name) & 0xFFFF_FFFF
            for target in (value, vaddr + name_at, vaddr + NAMES)[:fields]:
                number = target - (vaddr + at) if relative else target
                struct.pack_into(mark + code, out, at, number)
                at += unit
            name_at += len(raw)
    return out


def read(data: bytearray, layout: Layout, known: Sequence[str], off: int = 0) -> Exports | None:
    mask = (1 << layout.word * 8) - 1
    places = {name: (address(name) + off & mask,) for name in known}
    return read_exports(data, VADDR & mask, lambda name: places.get(name, ()), layout)


@pytest.mark.parametrize(("relative", "fields", "layout"), FORMS)
def test_all_are_read(relative: bool, fields: int, layout: Layout) -> None:
    common, gpl = names(300), [f"gpl_{n:03}" for n in range(200)]
    data = block(relative, fields, layout, [common, gpl])
    found = read(data, layout, common[:100])
    assert found is not None
    mask = (1 << layout.word * 8) - 1
    assert found.vaddrs == {name: address(name) & mask for name in (*common, *gpl)}
    size = fields * (4 if relative else layout.word)
    start = (VADDR & mask) + TABLE
    ends = [start + len(common) * size, start + (len(common) + len(gpl)) * size]
    assert found.tables == [(start, ends[0]), (ends[0], ends[1])]


def test_functions_elsewhere_are_not_believed() -> None:
    data = block(True, 3, Layout(), [names(300)])
    assert read(data, Layout(), names(300), off=4) is None


def test_few_functions_prove_nothing() -> None:
    data = block(True, 3, Layout(), [names(300)])
    assert read(data, Layout(), names(300)[:20]) is None


def test_one_that_kallsyms_has_elsewhere_is_left_out() -> None:
    data = block(True, 3, Layout(), [names(300)])
    places = {name: (address(name),) for name in names(300)} | {"exported_0007": (1,)}
    found = read_exports(data, VADDR, lambda name: places.get(name, ()), Layout())
    assert found is not None
    assert "exported_0007" not in found.vaddrs
    assert "exported_0008" in found.vaddrs


def test_records_that_are_everywhere_cost_little() -> None:
    """A guest fills memory with records of a name that is looked for."""
    data = bytearray(8 << 20)
    text = ANCHOR.encode() + b"\0"
    data[-len(text) :] = text
    name_at = len(data) - len(text)
    for at in range(0, name_at & -12, 12):
        struct.pack_into("<3i", data, at, 0, name_at - at - 4, name_at + len(text) - 1 - at - 8)
    start = time.process_time()
    assert read(data, Layout(), [ANCHOR]) is None
    assert time.process_time() - start < 20


def test_damage_raises_nothing() -> None:
    dice = random.Random(3)
    for _ in range(200):
        data = block(True, 3, Layout(), [names(200)])
        for _ in range(dice.randrange(1, 60)):
            data[dice.randrange(TABLE, NAMES + 0x2000)] = dice.randrange(256)
        read(data, Layout(), names(200))
        del data[dice.randrange(len(data)) :]
        read(data, Layout(), names(200))
