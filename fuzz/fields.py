# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the numbers are in a dump's headers, and what to write in their place."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Literal, NamedTuple

from tests.dumps.writers.kdump_writer import _MAIN, _SUB

Order = Literal["little", "big"]


class Field(NamedTuple):
    """A number of ``width`` bytes at ``offset``."""

    offset: int
    width: int
    order: Order


def kdump_fields(bits: int, order: Order, block: int, pages: int, table: int) -> list[Field]:
    """Main header, sub-header, and the descriptors, which start at ``table``."""
    main = [Field(offset, struct.calcsize("=" + code), order) for offset, code in
            _MAIN[bits].values()]  # fmt: skip
    sub = [
        Field(block + offset, struct.calcsize("=" + code), order)
        for offset, code, _ in _SUB["64" if bits == 64 else "32"].values()
    ]
    version = [Field(8, 4, order)]
    rows = range(table, table + 24 * pages, 24)
    descriptors = [Field(at + skip, width, order) for at in rows
                   for skip, width in ((0, 8), (8, 4), (12, 4))]  # fmt: skip
    return version + main * 2 + sub * 2 + descriptors


def elf_fields(image: bytes) -> list[Field]:
    """ELF header, program headers, and the headers of the notes behind them."""
    wide, order = image[4] == 2, "little" if image[5] == 1 else "big"
    kind: Order = "little" if order == "little" else "big"
    word = 8 if wide else 4
    widths = [2, 2, 4, word, word, word, 4, 2, 2, 2, 2, 2, 2]
    fields = list(_row(16, widths, kind))
    phoff = int.from_bytes(image[fields[4].offset :][:word], kind)
    count = int.from_bytes(image[fields[9].offset :][:2], kind)
    entry = [4, 4, 8, 8, 8, 8, 8, 8] if wide else [4] * 8
    for number in range(count):
        fields += _row(phoff + number * sum(entry), entry, kind)
    notes = phoff + count * sum(entry)
    return fields + list(_row(notes, [4] * 3, kind))


def flattened_fields(records: list[tuple[int, bytes]]) -> list[Field]:
    """Type and version of the container, offset and size of each record."""
    fields = [Field(16, 8, "big"), Field(24, 8, "big")]
    at = 4096
    for _, data in records:
        fields += _row(at, [8, 8], "big")
        at += 16 + len(data)
    return [*fields, *_row(at, [8, 8], "big")]


def _row(at: int, widths: list[int], order: Order) -> Iterator[Field]:
    for width in widths:
        yield Field(at, width, order)
        at += width


def number(chance: random.Random, old: int, width: int, size: int) -> int:
    """A number that a header may have and shouldn't, of a file of ``size`` bytes."""
    bits = 8 * width
    values = (
        0, 1, old + 1, old - 1, old * 2, old << 12, size, size - 1, size + 1, size // 2,
        1 << chance.randrange(bits), (1 << chance.randrange(1, bits + 1)) - 1, -1 - old,
        chance.getrandbits(bits), chance.getrandbits(chance.randrange(1, bits + 1)), 4096, 0xFFF,
    )  # fmt: skip
    return chance.choice(values) & ((1 << bits) - 1)


def change(chance: random.Random, image: bytearray, fields: list[Field]) -> None:
    """Put other numbers in the place of a few."""
    for field in chance.choices(fields, k=chance.choice((1, 1, 1, 2, 3, 6))):
        place = slice(field.offset, field.offset + field.width)
        old = int.from_bytes(image[place], field.order)
        new = number(chance, old, field.width, len(image))
        image[place] = new.to_bytes(field.width, field.order)


def spoil(chance: random.Random, image: bytearray) -> None:
    """Now and then change bytes anywhere, or cut the end off."""
    if chance.random() < 0.2:
        for _ in range(chance.randint(1, 4)):
            image[chance.randrange(len(image))] = chance.randrange(256)
    if chance.random() < 0.1:
        del image[chance.randrange(len(image)) :]
