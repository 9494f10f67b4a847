# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding kallsyms in all its layouts, from tables written as scripts/kallsyms.c does."""

from __future__ import annotations

import struct
import tracemalloc
from random import Random
from time import process_time

import pytest

from crashext.symbols import kallsyms

TEXT = 0xFFFFFFFF81000000
COUNT = 3000
TOKENS = {0x01: b"Tsym", 0x02: b"_func", 0x03: b"bol_"}


def token_text(code: int) -> bytes:
    return TOKENS.get(code, bytes([code]) if code >= 0x20 else b"")


def symbols() -> list[tuple[bytes, int]]:
    """(type and name, offset from _text) in the order of addresses."""
    named = {0: b"T_text", 700: b"Dlinux_banner", 1500: b"Bphys_base", 2999: b"b" + b"x" * 200}
    return [(named.get(i, b"Tsymbol_%d_func" % i), i * 0x40) for i in range(COUNT)]


def compressed(name: bytes) -> bytes:
    for code in (0x01, 0x02, 0x03):
        name = name.replace(TOKENS[code], bytes([code]))
    length = len(name)
    head = bytes([length]) if length < 0x80 else bytes([length & 0x7F | 0x80, length >> 7])
    return head + name


def aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def tables() -> dict[str, bytes]:
    names = b""
    markers: list[int] = []
    for index, (name, _) in enumerate(symbols()):
        if index % 256 == 0:
            markers.append(len(names))
        names += compressed(name)
    texts = [token_text(code) + b"\0" for code in range(256)]
    places: list[int] = []
    at = 0
    for text in texts:
        places.append(at)
        at += len(text)
    return {
        "num_syms": aligned(struct.pack("<I", COUNT)),
        "names": aligned(names),
        "markers": aligned(struct.pack(f"<{len(markers)}I", *markers)),
        "token_table": aligned(b"".join(texts)),
        "token_index": struct.pack("<256H", *places),
        "negative": aligned(struct.pack(f"<{COUNT}i", *(-1 - o for _, o in symbols()))),
        "plain": aligned(struct.pack(f"<{COUNT}i", *(o for _, o in symbols()))),
        "addresses": struct.pack(f"<{COUNT}Q", *(TEXT + o for _, o in symbols())),
        "relative_base": struct.pack("<Q", TEXT),
        "seqs": aligned(bytes(3 * COUNT)),
    }


LAYOUTS = {
    "2.6": ("addresses", "num_syms", "names", "markers", "token_table", "token_index"),
    "4.6": ("negative", "relative_base", "num_syms", "names", "markers", "token_table",
            "token_index"),
    "6.2": ("negative", "relative_base", "num_syms", "names", "markers", "seqs", "token_table",
            "token_index"),
    "6.4": ("num_syms", "names", "markers", "token_table", "token_index", "negative",
            "relative_base", "seqs"),
    "6.15": ("num_syms", "names", "markers", "token_table", "token_index", "plain",
             "relative_base", "seqs"),
}  # fmt: skip
WANTED = frozenset(("_text", "linux_banner", "phys_base", "not_there"))


def block(layout: str) -> bytes:
    made = tables()
    noise = Random(2).randbytes(0x4000)
    return noise + b"".join(made[name] for name in LAYOUTS[layout]) + noise


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout(layout: str) -> None:
    assert kallsyms.decode(block(layout), TEXT, WANTED) == {
        "_text": TEXT,
        "linux_banner": TEXT + 700 * 0x40,
        "phys_base": TEXT + 1500 * 0x40,
    }


def test_the_base_has_to_be_the_start_of_the_image() -> None:
    assert kallsyms.decode(block("6.4"), TEXT + 0x200000, WANTED) == {}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_gives_nothing_false_and_no_error(layout: str) -> None:
    whole = block(layout)
    random = Random(3)
    truth = kallsyms.decode(whole, TEXT, WANTED)
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        end = random.randrange(len(damaged)) if random.random() < 0.3 else len(damaged)
        found = kallsyms.decode(bytes(damaged[:end]), TEXT, WANTED)
        assert set(found) <= set(truth)


def forged(kind: str) -> bytes:
    """64 MiB in which tables seem to begin everywhere."""
    made = tables()
    table = made["token_table"] + made["token_index"]
    names = aligned(compressed(b"Tsymbol_1_func") * 200)
    if kind == "tables":
        unit, tail = table, b""
    elif kind == "counts":
        unit, tail = struct.pack("<Q", 200_000) + names, table
    elif kind == "counts that fit":
        unit, tail = struct.pack("<Q", 1_500_000) + b"\x07Tabcdef" * 33, table
    elif kind == "digits":
        unit, tail = kallsyms._DIGITS, b""
    else:
        unit, tail = (struct.pack("<Q", 100_000) + b"\x07Taaaaaa" * 40) * 3000 + table, b""
    return unit * ((64 << 20) // len(unit)) + tail


@pytest.mark.parametrize("kind", ["tables", "counts", "counts that fit", "digits", "all"])
def test_forged_tables_cost_little(kind: str) -> None:
    block = forged(kind)
    started = process_time()
    assert kallsyms.decode(block, TEXT, WANTED) == {}
    assert process_time() - started < 1.5
    tracemalloc.start()
    try:
        assert kallsyms.decode(block, TEXT, WANTED) == {}
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_a_token_is_no_bomb() -> None:
    """Tokens of 64 KiB, 500 of them in each name."""
    made = tables()
    huge = b"T" + b"y" * 60_000 + b"\0"
    texts = [huge, *(b"" + b"\0" for _ in range(0x1F)), *(bytes([c, 0]) for c in range(0x20, 256))]
    places = [sum(map(len, texts[:n])) for n in range(256)]
    names = (bytes([0xF4, 3]) + b"\0" * 500) * COUNT
    index = struct.pack("<256H", *places)
    parts = made["num_syms"], aligned(names), aligned(b"".join(texts)), index
    tail = made["negative"] + made["relative_base"]
    tracemalloc.start()
    try:
        assert kallsyms.decode(b"".join(parts) + tail, TEXT, WANTED) == {}
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
