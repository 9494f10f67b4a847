# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged captures that are no dumps: mapped-ram, vCPU sections, LiME, AVML."""

from __future__ import annotations

import random
import struct
from functools import cache
from typing import Any

from tests.dumps.writers.lime_writer import avml_block, frames, lime_header
from tests.dumps.writers.qevm_writer import TIMER, Qevm, Section, numbers

from .fields import Field, change, number, spoil
from .seeds import PAGES

Files = list[bytes]

_LENGTHS = {"pc.ram": 8 * 4096, "vga.vram": 2 * 4096}
_BLOCKS = {"pc.ram": PAGES, "vga.vram": {1: PAGES[0]}}


def mapped(chance: random.Random) -> Files:
    """Numbers of the headers, bits of the bitmaps."""
    image, fields = _mapped(chance.random() < 0.3)
    changed = bytearray(image)
    change(chance, changed, fields)
    spoil(chance, changed)
    return [bytes(changed)]


@cache
def _mapped(saved: bool) -> tuple[bytes, list[Field]]:
    offset = 192 if saved else 0
    image = Qevm([_BLOCKS], _LENGTHS, mapped=True, offset=offset).write()
    if saved:
        head = struct.pack("<16s5I", b"LibvirtQemudSave", 2, 100, 1, 6, 0)
        image = head.ljust(offset, b"\0") + image
    fields = []
    for name in (b"\x06pc.ram", b"\x08vga.vram"):
        at = image.index(name) + len(name)
        widths = ((0, 8), (8, 4), (12, 8), (20, 8), (28, 8), (36, 8))
        fields += [Field(at + skip, width, "big") for skip, width in widths]
    return image, fields


def vcpus(chance: random.Random) -> Files:
    """Sections and what the stream says that is in them, of which one may be wrong."""
    inner: dict[str, Any] = {
        "vmsd_name": "seg",
        "fields": [numbers("base", 1), numbers("limit", 1, 4)],
    }
    fields: list[dict[str, Any]] = [
        numbers("env.regs", chance.choice((1, 16))),
        {"name": "env.segs", "array_len": 2, "type": "struct", "struct": inner, "size": 12},
    ]
    below = [{"vmsd_name": "cpu/x", "version": 1, "fields": [numbers("x", 1)]}]
    size = sum(f.get("array_len", 1) * f["size"] for f in fields)
    body = bytes(size) + b"\x05\x05cpu/x" + struct.pack(">I", 1) + bytes(8)
    for each in (*fields, *inner["fields"]):
        if chance.random() < 0.1:
            key = chance.choice(("size", "array_len", "name", "struct", "index"))
            each[key] = chance.choice((number(chance, 8, 8, 1000), -1, "x", {}, [], None, 1e300))
    cpus = [Section("cpu", n, fields, body, below) for n in range(chance.randrange(1, 4))]
    changed = bytearray(Qevm([_BLOCKS], _LENGTHS, sections=[TIMER, *cpus]).write())
    if chance.random() < 0.5:
        at = chance.randrange(changed.index(b"\x04\0\0\0\x03"), len(changed))
        changed[at] = chance.choice((0, 1, 0x7F, 0xFF, ord("["), ord("{"), changed[at] ^ 1))
    spoil(chance, changed)
    return [bytes(changed)]


def _ranges(chance: random.Random) -> list[tuple[int, int, bytes]]:
    """First and last address of ranges as they may be told, and their memory."""
    found, at = [], 0
    for _ in range(chance.randrange(1, 6)):
        data = PAGES[0] * chance.choice((1, 1, 2, 20)) + b"x" * chance.choice((0, 0, 1, 100))
        first, last = at, at + len(data) - 1
        if chance.random() < 0.1:
            first = number(chance, first, 8, 1000)
        if chance.random() < 0.1:
            last = number(chance, last, 8, 1000)
        found.append((first, last, data))
        at += len(data) + chance.choice((0, 0, 4096, 1 << 32))
    return found


def lime(chance: random.Random) -> Files:
    """Headers whose numbers may be anything."""
    changed = bytearray(
        b"".join(lime_header(first, last) + data for first, last, data in _ranges(chance))
    )
    spoil(chance, changed)
    return [bytes(changed)]


def avml(chance: random.Random) -> Files:
    """Likewise, and chunks that may be others than they say."""
    changed = bytearray()
    for first, last, data in _ranges(chance):
        block = avml_block(0, data)
        block = lime_header(first, last, b"AVML", chance.choice((2, 2, 2, 2, 1))) + block[32:]
        if chance.random() < 0.2:
            more = chance.choice((b"\xfe\x02\0\0xx", b"\x01\x05\0\0....x", frames(b"more")[10:]))
            block = block[:42] + more + block[42:]
        changed += block
    if chance.random() < 0.5:
        at = chance.choice((chance.randrange(len(changed)), chance.randrange(32, 60)))
        changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, at & 0xFF))
    spoil(chance, changed)
    return [bytes(changed)]
