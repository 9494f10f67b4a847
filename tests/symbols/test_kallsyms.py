# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding kallsyms in all its layouts, from tables written as scripts/kallsyms.c does."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterable
from random import Random
from time import process_time

import pytest

from crashext.symbols import kallsyms
from crashext.symbols.kallsyms import LITTLE64, Layout
from crashext.symbols.kallsyms.tables import _DIGITS

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


def tables(layout: Layout = LITTLE64, text: int = TEXT, below: int = 0) -> dict[str, bytes]:
    """The tables as the assembler lays them out; ``below`` is how far under _text the base is."""
    mark = "<" if layout.byte_order == "little" else ">"
    pointer = "Q" if layout.word == 8 else "I"
    base = text - below

    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % layout.word)

    def packed(code: str, numbers: Iterable[int]) -> bytes:
        values = list(numbers)
        return padded(struct.pack(f"{mark}{len(values)}{code}", *values))

    names = b""
    markers: list[int] = []
    for index, (name, _) in enumerate(symbols()):
        if index % 256 == 0:
            markers.append(len(names))
        names += compressed(name)
    texts = [token_text(code) + b"\0" for code in range(256)]
    places: list[int] = []
    at = 0
    for token in texts:
        places.append(at)
        at += len(token)
    return {
        "num_syms": packed("I", [COUNT]),
        "num_syms_word": packed(pointer, [COUNT]),
        "names": padded(names),
        "markers": packed("I", markers),
        "token_table": padded(b"".join(texts)),
        "token_index": packed("H", places),
        "negative": packed("i", (-1 - o - below for _, o in symbols())),
        "plain": packed("I", (o + below for _, o in symbols())),
        "addresses": packed(pointer, (text + o for _, o in symbols())),
        "relative_base": packed(pointer, [base]),
        "seqs": padded(bytes(3 * COUNT)),
    }


LAYOUTS = {
    "2.6": ("addresses", "num_syms_word", "names", "markers", "token_table", "token_index"),
    "4.6": ("negative", "relative_base", "num_syms", "names", "markers", "token_table",
            "token_index"),
    "4.20": ("plain", "relative_base", "num_syms", "names", "markers", "token_table",
             "token_index"),
    "6.2": ("negative", "relative_base", "num_syms", "names", "markers", "seqs", "token_table",
            "token_index"),
    "6.4": ("num_syms", "names", "markers", "token_table", "token_index", "negative",
            "relative_base", "seqs"),
    "6.15": ("num_syms", "names", "markers", "token_table", "token_index", "plain",
             "relative_base", "seqs"),
}  # fmt: skip
WANTED = frozenset(("_text", "linux_banner", "phys_base", "not_there"))


#: Words and byte orders of real kernels, and where such a one has its text.
MACHINES = {
    "little 64": (LITTLE64, TEXT),
    "big 64": (Layout("big", 8), 0x100000),
    "little 32": (Layout("little", 4), 0xC0008000),
    "big 32": (Layout("big", 4), 0xC0000000),
}


def block(layout: str, machine: str = "little 64", below: int = 0) -> bytes:
    made = tables(*MACHINES[machine], below)
    noise = Random(2).randbytes(0x4000)
    return noise + b"".join(made[name] for name in LAYOUTS[layout]) + noise


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout(layout: str, machine: str) -> None:
    numbers, text = MACHINES[machine]
    found = kallsyms.decode(block(layout, machine), text, WANTED, numbers)
    assert found == {
        "_text": text,
        "linux_banner": text + 700 * 0x40,
        "phys_base": text + 1500 * 0x40,
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_of_another_machine_are_no_tables(machine: str) -> None:
    for other, (numbers, _) in MACHINES.items():
        found = kallsyms.decode(block("6.4", machine), MACHINES[machine][1], WANTED, numbers)
        assert bool(found) == (other == machine)


@pytest.mark.parametrize("layout", ["4.6", "4.20", "6.4", "6.15"])
def test_a_symbol_before_the_text_lowers_the_base(layout: str) -> None:
    found = kallsyms.decode(block(layout, below=0x8000), TEXT, WANTED)
    assert found["linux_banner"] == TEXT + 700 * 0x40


def test_offsets_of_more_than_2_gib_are_unsigned() -> None:
    """The vectors of 32-bit ARM, where the image is at 0x40008000."""
    numbers, text = Layout("little", 4), 0x40008000
    made = tables(numbers, text)
    last = struct.unpack(f"<{COUNT}I", made["plain"])[:-1]
    made["plain"] = struct.pack(f"<{COUNT}I", *last, 0xFFFF0000 - text)
    data = b"".join(made[name] for name in LAYOUTS["6.15"])
    wanted = frozenset(("_text", "linux_banner", "x" * 200))
    assert kallsyms.decode(data, text, wanted, numbers) == {
        "_text": text,
        "linux_banner": text + 700 * 0x40,
        "x" * 200: 0xFFFF0000,
    }


def test_the_text_has_to_come_out_as_the_start_of_the_image() -> None:
    for layout in LAYOUTS:
        for distance in (0x200000, -0x200000):
            assert kallsyms.decode(block(layout), TEXT + distance, WANTED) == {}


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
        unit, tail = _DIGITS, b""
    else:
        unit, tail = (struct.pack("<Q", 100_000) + b"\x07Taaaaaa" * 40) * 3000 + table, b""
    return unit * ((64 << 20) // len(unit)) + tail


@pytest.mark.parametrize("kind", ["tables", "counts", "counts that fit", "digits", "all"])
def test_forged_tables_cost_little(kind: str) -> None:
    block = forged(kind)
    start = process_time()
    assert sum(range(10_000_000)) > 0
    counted = process_time()
    assert kallsyms.decode(block, TEXT, WANTED) == {}
    assert process_time() - counted < 25 * (counted - start)
    end = block[-(4 << 20) :]  # tracing takes its time
    tracemalloc.start()
    try:
        assert kallsyms.decode(end, TEXT, WANTED) == {}
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
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
