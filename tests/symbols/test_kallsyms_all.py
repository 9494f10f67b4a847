# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading all of kallsyms, and the layout since 7.0, which only its own place explains."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from crashext.symbols import kallsyms
from crashext.symbols.kallsyms import LITTLE64, Layout

from .test_kallsyms import COUNT, LAYOUTS, MACHINES, TEXT, WANTED, block, symbols, tables

#: Where the noise before the tables leaves them, an odd number of 32-bit words in.
_LEAD = 0x4004
_AT = TEXT + 0x100000


def place_relative(layout: Layout, text: int, vaddr: int) -> bytes:
    """Tables as since 7.0: aligned to 32 bits, offsets counted from their own places."""
    made = tables(layout, text)
    mark = "<" if layout.byte_order == "little" else ">"

    def packed(data: bytes) -> bytes:
        return data + bytes(-len(data) % 4)

    names = made["names"].rstrip(b"\0")
    head = b"".join(
        map(packed, (struct.pack(f"{mark}I", COUNT), names, made["markers"], made["token_table"]))
    )
    head = bytes(_LEAD) + head + made["token_index"]
    own = vaddr + len(head)
    offsets = (text + o - (own + 4 * i) for i, (_, o) in enumerate(symbols()))
    return head + struct.pack(f"{mark}{COUNT}i", *offsets) + bytes(3 * COUNT)


@pytest.mark.parametrize("machine", MACHINES)
def test_offsets_from_their_own_place(machine: str) -> None:
    layout, text = MACHINES[machine]
    vaddr = text + 0x100000
    data = place_relative(layout, text, vaddr)
    found = kallsyms.decode(data, text, WANTED, layout, vaddr)
    assert found == {"_text": text, "linux_banner": text + 700 * 64, "phys_base": text + 1500 * 64}
    assert kallsyms.decode(data, text, WANTED, layout) == {}
    assert kallsyms.decode(data, text, WANTED, layout, vaddr + 0x1000) == {}


@pytest.mark.parametrize(
    "data",
    [lambda layout=layout: block(layout) for layout in LAYOUTS]
    + [lambda: place_relative(LITTLE64, TEXT, _AT)],
)
def test_every_symbol_of_every_layout(data: Callable[[], bytes]) -> None:
    found = kallsyms.read_all(data(), TEXT, vaddr=_AT)
    assert found is not None
    assert found.refused == 0
    assert [(s.kind + s.name, s.vaddr - TEXT) for s in found] == [
        (name.decode(), offset) for name, offset in symbols()
    ]


def test_names_that_no_linker_makes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest writes its own table: what may reach a terminal or another tool is checked."""
    strange = {0: b"T_text", 5: b"Tesc\x7f[2J", 6: b"Ttwo words", 7: b"T\xff\xfe", 8: b"T"}
    names = [(strange.get(i, b"Tfine_%d" % i), i * 0x40) for i in range(COUNT)]
    from . import test_kallsyms

    monkeypatch.setattr(test_kallsyms, "symbols", lambda: names)
    made = tables()
    found = kallsyms.read_all(b"".join(made[name] for name in LAYOUTS["6.4"]), TEXT)
    assert found is not None
    assert (len(found), found.refused) == (COUNT - 4, 4)
    assert all(name.isprintable() and " " not in name for name in found.names)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_tables_no_symbols(layout: str) -> None:
    assert kallsyms.read_all(block(layout)[:0x8000], TEXT) is None
    assert kallsyms.read_all(block(layout), TEXT + 0x200000) is None
