# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged dumps of each container, made from a chance: the same chance makes the same files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import zstandard

from tests.dumps.test_wrapped import xz_blocks, zstd_frames, zstd_stream
from tests.dumps.writers.elf_writer import Elf
from tests.dumps.writers.flat_writer import END, HEADER, records
from tests.dumps.writers.kdump_writer import Kdump
from tests.dumps.writers.notes import note, qemu_notes

from . import captures
from .fields import Field, Order, change, elf_fields, flattened_fields, kdump_fields, number, spoil
from .seeds import LOADS, NOTES, PAGES

Files = list[bytes]
_KINDS: tuple[tuple[int, Order, int, str], ...] = (
    (64, "little", 6, "zlib"), (64, "little", 6, "none"), (64, "little", 6, "lzo"),
    (64, "little", 6, "snappy"), (64, "little", 6, "zstd"), (32, "big", 6, "zlib"),
    (32, "little", 3, "zlib"), (64, "big", 1, "none"),
)  # fmt: skip


@cache
def _kdump(kind: int) -> tuple[bytes, list[Field]]:
    bits, order, version, codec = _KINDS[kind]
    spec = Kdump(PAGES, frozenset({9}), bits, order, version, codec=codec, notes=NOTES)
    table = 4096 * 4
    return spec.write(), kdump_fields(bits, order, 4096, len(PAGES), table)


def kdump(chance: random.Random) -> Files:
    """Numbers of the headers and the descriptors."""
    image, fields = _kdump(chance.randrange(len(_KINDS)))
    changed = bytearray(image)
    change(chance, changed, fields)
    spoil(chance, changed)
    return [bytes(changed)]


@cache
def _elf(kind: int) -> tuple[bytes, list[Field]]:
    bits, order = ((64, "little"), (32, "big"), (64, "big"), (32, "little"))[kind]
    notes = qemu_notes(1, order=order) + note(b"VMCOREINFO", 0, b"OSRELEASE=6.1\n", order)
    image = Elf(LOADS, bits, order, 62, notes, sections=kind % 2 == 0).write()
    return image, elf_fields(image)


def elf(chance: random.Random) -> Files:
    """Numbers of the ELF header, the program headers and a note."""
    image, fields = _elf(chance.randrange(4))
    changed = bytearray(image)
    change(chance, changed, fields)
    spoil(chance, changed)
    return [bytes(changed)]


def flattened(chance: random.Random) -> Files:
    """Numbers of the records, or of the dump inside; records lost, twice, out of order."""
    inner = kdump(chance)[0] if chance.random() < 0.5 else _kdump(0)[0]
    parts = records(inner, chance.choice((512, 3000, 4096, 16384)))
    if chance.random() < 0.3:
        chance.shuffle(parts)
    if chance.random() < 0.3:
        parts.insert(chance.randrange(len(parts)), chance.choice(parts))
    if chance.random() < 0.2 and len(parts) > 1:
        parts.pop(chance.randrange(len(parts)))
    body = b"".join(struct.pack(">qq", at, len(data)) + data for at, data in parts)
    changed = bytearray(HEADER + body + END)
    if chance.random() < 0.7:
        change(chance, changed, flattened_fields(parts))
    spoil(chance, changed)
    return [bytes(changed)]


@cache
def _parts() -> list[tuple[bytes, list[Field]]]:
    pages = {**PAGES, **dict.fromkeys(range(10, 20), PAGES[0])}
    found = []
    for start, end in ((0, 7), (7, 14), (14, 20)):
        image = Kdump(pages, part=(start, end), notes=NOTES).write()
        count = sum(start <= pfn < end for pfn in pages)
        found.append((image, kdump_fields(64, "little", 4096, count, 4096 * 4)))
    return found


def split(chance: random.Random) -> Files:
    """The files of a set in any order, one of them changed, perhaps one missing or twice."""
    files = []
    parts = _parts()
    damaged = chance.randrange(len(parts))
    for index, (image, fields) in enumerate(parts):
        changed = bytearray(image)
        if index == damaged:
            change(chance, changed, fields)
            spoil(chance, changed)
        files.append(bytes(changed))
    chance.shuffle(files)
    if chance.random() < 0.2:
        files[0] = chance.choice(files)
    return files[: chance.choice((1, 2, 3, 3, 3))]


def qevm(chance: random.Random) -> Files:
    """A stream put together of records whose numbers may be anything."""
    changed = bytearray(_stream(chance))
    spoil(chance, changed)
    return [bytes(changed)]


def _stream(chance: random.Random) -> bytes:
    size = chance.choice((8 * 4096, 8 * 4096, 1 << 20, 1 << 33, 1 << 40, 0, 4097))
    out = b"QEVM" + struct.pack(">I", 3) + b"\x07" + struct.pack(">I", 6) + b"pc-q35"
    if chance.random() < 0.2:
        bits = chance.choice((12, 12, 16, 0, 64, chance.getrandbits(32)))
        out += b"\x05\x1e" + b"configuration/target-page-bits" + struct.pack(">II", 1, bits)
    out += b"\x01" + struct.pack(">I", 2) + b"\x03ram" + struct.pack(">II", 0, 4)
    for _ in range(chance.choice((1, 1, 1, 2, 20))):
        total = size if chance.random() < 0.8 else number(chance, size, 8, len(out)) & ~0xFFF
        length = size if chance.random() < 0.8 else number(chance, size, 8, len(out))
        out += struct.pack(">Q", total | 4) + b"\x06pc.ram" + struct.pack(">Q", length)
    out += struct.pack(">Q", 0x10) + b"\x7e" + struct.pack(">I", 2)
    for kind in chance.choice((b"\x03", b"\x02\x03", b"\x02\x02\x02", b"\x03\x04")):
        out += bytes([kind]) + struct.pack(">I", 2) + _page_records(chance)
        out += struct.pack(">Q", 0x10) + b"\x7e" + struct.pack(">I", 2)
    text = b'{"page_size": 4096, "devices": [{"name": "cpu", "instance_id": 0, "fields": []}]}'
    length = len(text) if chance.random() < 0.8 else number(chance, len(text), 4, len(out))
    return out + b"\0\x06" + struct.pack(">I", length) + text


def _page_records(chance: random.Random) -> bytes:
    out = bytearray()
    for count in range(chance.randrange(1, 12)):
        index = count if chance.random() < 0.7 else number(chance, count, 6, len(out))
        packed = zlib.compress(PAGES[0], 1)
        body, flag = chance.choice((
            (PAGES[0], 0x08), (b"\0", 0x02), (b"\xff", 0x02), (struct.pack(">I", len(packed)) +
            packed, 0x100), (b"\0\0\4abcd", 0x40), (b"\1\0\4\2\2xy", 0x40), (b"", 0x80),
            (b"", chance.getrandbits(12)),
        ))  # fmt: skip
        goes_on = 0x20 if count and chance.random() < 0.9 else 0
        out += struct.pack(">Q", (index << 12 | flag | goes_on) & (1 << 64) - 1)
        out += (b"" if goes_on else b"\x06pc.ram") + body
    return bytes(out)


_PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    bytes, gzip.compress, bz2.compress, lzma.compress, bytes, zstandard.compress, bytes,
)  # fmt: skip


def libvirt(chance: random.Random) -> Files:
    """A save header whose numbers may be anything, and a stream, compressed or not."""
    compression = chance.choice((0, 0, 0, 1, 5, 2, 3, chance.randrange(8)))
    values = [2, chance.randrange(300), 1, compression, 0]
    xml = values[1]
    for index in range(len(values)):
        if chance.random() < 0.1:
            values[index] = number(chance, values[index], 4, 1000)
    head = b"LibvirtQemudSave" + struct.pack(chance.choice("<>") + "5I", *values)
    packer = _PACKERS[compression] if compression < len(_PACKERS) else bytes
    changed = bytearray(head.ljust(92, b"\0") + bytes(xml) + packer(qevm(chance)[0]))
    spoil(chance, changed)
    return [bytes(changed)]


_WRAPPERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: gzip.compress(data, 1), lambda data: bz2.compress(data, 1),
    lambda data: lzma.compress(data, preset=0), zstd_stream, xz_blocks, zstd_frames,
)  # fmt: skip


def wrapped(chance: random.Random) -> Files:
    """A damaged dump compressed, or a dump compressed and damaged then."""
    wrapper = chance.choice(_WRAPPERS)
    inner = chance.choice((kdump, elf, flattened, qevm))(chance)[0]
    if chance.random() < 0.5:
        inner = chance.choice((_kdump(0)[0], _elf(0)[0]))
    changed = bytearray(wrapper(inner))
    if chance.random() < 0.7:
        edge = chance.choice((len(changed), min(len(changed), 40)))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(edge)
            changed[chance.choice((at, -1 - at))] = chance.choice((0, 1, 0x7F, 0xFF, at & 0xFF))
    spoil(chance, changed)
    return [bytes(changed)]


CASES: dict[str, Callable[[random.Random], Files]] = {
    "kdump": kdump, "elf": elf, "flattened": flattened, "split": split, "qevm": qevm,
    "libvirt": libvirt, "wrapped": wrapped, "mapped": captures.mapped, "vcpus": captures.vcpus,
    "lime": captures.lime, "avml": captures.avml,
}  # fmt: skip
