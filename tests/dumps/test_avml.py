# SPDX-License-Identifier: GPL-3.0-or-later
"""What AVML writes inside a guest: LiME's headers around snappy streams."""

from __future__ import annotations

import random
import struct

import pytest
import snappy

from crashext import CorruptDump, MissingMemory, Range, UnsupportedDump
from crashext.detect import detect
from crashext.dumps.avml import AvmlDump
from crashext.errors import CrashExtError, OverBudget

from .conftest import Opener, page
from .writers.lime_writer import avml, avml_block, frames, lime_header

MIB = 1 << 20
LOW = b"".join(page(n) for n in range(600)) + random.Random(1).randbytes(MIB)
RANGES = [(0x1000, LOW), (0x100000000, page(5) + b"rest")]
IMAGE = avml(RANGES)
IDENTIFIER = b"\xff\x06\0\0sNaPpY"


def test_ranges(opened: Opener) -> None:
    with opened(IMAGE) as dump:
        assert isinstance(dump, AvmlDump)
        assert (dump.format, dump.compression, dump.complete) == ("avml", "snappy", True)
        assert dump.warnings == () and dump.header.ranges == 2
        assert dump.ram == (
            Range(0x1000, 0x1000 + len(LOW)),
            Range(0x100000000, 0x100001004),
        )
        for paddr, size in ((0x1000, 4096), (0x1000 + MIB - 100, 200), (0x220000, 0x130000)):
            assert dump.read(paddr, size) == LOW[paddr - 0x1000 : paddr - 0x1000 + size]
        assert dump.read(0x100000FFE, 6) == page(5)[-2:] + b"rest"
        assert dict(dump.page_heads(8))[0x3000] == page(2)[:8]
        assert list(dump.pages_with([(5, page(444)[5:20])])) == [0x1000 + 444 * 4096]
        with pytest.raises(MissingMemory):
            dump.read(0x1000 + len(LOW), 1)
        found = detect(dump)
        assert (found.origin, found.confidence) == ("avml", "certain")


def test_blocks_of_zeros_are_left_out(opened: Opener) -> None:
    data = bytes(16 * MIB) + page(1)
    with opened(avml([(0, data)])) as dump:
        assert dump.ram == (Range(16 * MIB, 16 * MIB + 4096),)
        assert dump.read(16 * MIB, 4096) == page(1)


def test_chunks_that_others_might_write(opened: Opener) -> None:
    """Small ones, uncompressed ones, padding in between."""
    parts = [frames(page(1)[:100]), frames(page(1)[100:])[len(IDENTIFIER) :]]
    noise = random.Random(2).randbytes(4096)
    stream = parts[0] + b"\xfe\x03\0\0pad" + parts[1] + frames(noise)
    image = lime_header(0, 8191, b"AVML", 2) + stream + struct.pack("<Q", len(stream))
    assert b"\x01" + (4100).to_bytes(3, "little") in stream
    assert opened(image).read(0, 8192) == page(1) + noise


def test_cut_anywhere(opened: Opener) -> None:
    for length in (*range(40, len(IMAGE), 99_991), len(IMAGE) - 1, len(IMAGE) - 9):
        try:
            dump = opened(IMAGE[:length])
        except CorruptDump as error:
            assert "no memory" in str(error)
            continue
        assert not dump.complete and len(dump.warnings) == 1
        assert dump.read(0x1000, 4096) == page(0)


def test_damage_is_noticed_where_it_is(opened: Opener) -> None:
    at = IMAGE.index(LOW[-100_000:-99_900])
    image = bytearray(IMAGE)
    image[at] ^= 1
    with opened(bytes(image)) as dump:
        assert dump.read(0x1000, 4096) == page(0)
        with pytest.raises(CorruptDump, match="does not unpack") as caught:
            dump.read(0x1000 + len(LOW) - 4096, 16)
        assert "\n" not in str(caught.value)


def chunk(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + len(data).to_bytes(3, "little") + data


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (chunk(0, bytes(4) + b"\xff\xff\xff\xff\x0f"), "unpacks to 4294967295"),
        (chunk(0, bytes(4) + b"\x81\x80\x04"), "unpacks to 65537"),
        (chunk(0, bytes(4) + b"\0"), "unpacks to 0"),
        (chunk(0, bytes(4) + b"\xff" * 6), "does not end"),
        (chunk(1, b"ab"), "unpacks to -2"),
        (chunk(1, bytes(4 + 65537)), "unpacks to 65537"),
        (chunk(2, bytes(8)), "kind 0x2"),
        (chunk(0x7F, bytes(8)), "kind 0x7f"),
        (frames(bytes(8192)), "8192 bytes in a range of 4096"),
        (frames(bytes(4096)) + struct.pack("<Q", 7), "7 bytes instead of"),
        (b"".join([chunk(0xFE, b"x" * 100_000)] * 30) + frames(bytes(4096)), "in between"),
    ],
)
def test_absurd_streams(opened: Opener, body: bytes, said: str) -> None:
    with pytest.raises(CorruptDump, match=said) as caught:
        opened(lime_header(0, 4095, b"AVML", 2) + body + bytes(16))
    assert "\n" not in str(caught.value)


def test_a_chunk_that_lies_about_its_length(opened: Opener) -> None:
    packed = bytearray(snappy.compress(page(1)))
    stream = IDENTIFIER + chunk(0, bytes(4) + bytes(packed))
    image = lime_header(0, 4095, b"AVML", 2) + stream + struct.pack("<Q", len(stream))
    with pytest.raises(CorruptDump, match="does not unpack"):
        opened(image).read(0, 1)


def test_other_headers(opened: Opener) -> None:
    block = avml_block(0x1000, page(1))
    with pytest.raises(UnsupportedDump, match="version 1"):
        opened(lime_header(0, 4095, b"AVML", 1) + bytes(100))
    with pytest.raises(CorruptDump, match="should start"):
        opened(block + bytes(40))
    with pytest.raises(CorruptDump, match="behind one"):
        opened(block + block)
    with pytest.raises(CrashExtError):
        opened(lime_header(0, (1 << 64) - 1, b"AVML", 2) + frames(bytes(4096)))


def test_a_bomb_costs_what_the_file_has(opened: Opener, tmp_path: object) -> None:
    """Padding alone is work, and an index of nothing is memory: both end."""
    stream = chunk(0xFE, b"") * 400_000
    with pytest.raises((CorruptDump, OverBudget)):
        opened(lime_header(0, 4095, b"AVML", 2) + stream)
