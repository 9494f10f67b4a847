# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's mapped-ram: pages at their places, wherever in a file the stream begins."""

from __future__ import annotations

import struct

import pytest

from crashext import CorruptDump, MissingMemory, Range, TruncatedPage, UnsupportedDump
from crashext.dumps.base import Stretch
from crashext.dumps.qevm import MappedDump

from .conftest import Opener, page
from .writers.qevm_writer import MIB, Qevm

PAGES = {n: page(n) for n in (0, 1, 2, 5, 63, 64, 130)} | {7: bytes(4096)}
LENGTHS = {"pc.ram": 200 * 4096, "vga.vram": 8 * 4096}
STREAM = Qevm([{"pc.ram": PAGES, "vga.vram": {1: page(3)}}], LENGTHS, mapped=True)
IMAGE = STREAM.write()
HEADER = IMAGE.index(b"\x06pc.ram") + 7 + 8


def test_pages_and_zeros(opened: Opener) -> None:
    with opened(IMAGE) as dump:
        assert isinstance(dump, MappedDump)
        assert (dump.complete, dump.warnings, dump.notes) == (True, (), ())
        assert dump.ram == (Range(0, 200 * 4096),)
        assert dump.header.capabilities == ("mapped-ram",)
        for index in range(200):
            assert dump.read(index * 4096, 4096) == PAGES.get(index, bytes(4096))
        assert dump.read(4096 - 8, 8200) == page(0)[-8:] + page(1) + page(2)
        assert dump.stored == tuple(
            Range(a * 4096, b * 4096) for a, b in ((0, 3), (5, 6), (63, 65), (130, 131))
        )
        zeros = {s for s in dump.stretches() if s.kind == "zero"}
        assert Stretch(3 * 4096, 5 * 4096, "zero") in zeros and len(zeros) == 4
        heads = {n * 4096: page(n)[:16] for n in PAGES if n != 7}
        assert dict(dump.page_heads(16)) == heads
        assert list(dump.pages_with([(5, page(63)[5:16])])) == [63 * 4096]
        with pytest.raises(MissingMemory):
            dump.read(200 * 4096 - 1, 2)


@pytest.mark.parametrize("offset", [0, 92 + 1000, MIB])
def test_offsets_are_those_of_the_file(opened: Opener, offset: int) -> None:
    stream = Qevm(STREAM.rounds, LENGTHS, mapped=True, offset=offset).write()
    xml = max(offset - 92, 0)
    head = struct.pack("<16s5I", b"LibvirtQemudSave", 2, xml, 1, 6, 0).ljust(92, b"\0") + bytes(xml)
    with opened(head + stream if offset else stream) as dump:
        assert dump.complete and dump.read(130 * 4096, 4096) == page(130)
        assert dump.read(131 * 4096, 16) == bytes(16)


def test_several_threads_make_no_difference(opened: Opener) -> None:
    image = Qevm(STREAM.rounds, LENGTHS, mapped=True, capabilities=[b"multifd"]).write()
    assert opened(image).read(5 * 4096, 4096) == page(5)


def test_what_is_cut_off_is_not_zeros(opened: Opener) -> None:
    place = IMAGE.index(page(64))
    with opened(IMAGE[: place + 100]) as dump:
        assert not dump.complete and "cut off" in dump.warnings[0]
        assert dump.read(63 * 4096, 4096) == page(63)
        assert dump.read(7 * 4096, 4096) == bytes(4096)
        with pytest.raises(TruncatedPage):
            dump.read(64 * 4096, 4096)


def test_without_its_bitmap_nothing_is_zeros(opened: Opener) -> None:
    """QEMU writes it at the end: a migration that was stopped has none."""
    bitmap = slice(HEADER + 28, HEADER + 28 + 32)
    image = bytearray(IMAGE[: IMAGE.index(page(130)) + 4096])
    image[bitmap] = bytes(32)
    dump = opened(bytes(image))
    assert not dump.complete and dump.stored == ()
    assert list(dump.stretches()) == [Stretch(0, 200 * 4096, "stored")]
    with pytest.raises(TruncatedPage):
        dump.read(0, 4096)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (0, 2, "version 2"),
        (1, 0, "pages of 0 bytes"),
        (1, 1 << 63, "where the guest has 4096"),
        (1, 8192, "where the guest has 4096"),
        (2, 0, "bitmap of 32 bytes at 0x0"),
        (2, 1 << 63, "bitmap of 32 bytes at 0x8"),
        (2, len(IMAGE) - 8, "bitmap of"),
        (3, 0, "pages at 0x0"),
        (3, MIB + 1, "pages at 0x100001"),
        (3, HEADER + 28, "pages at"),
        (3, (1 << 64) - 4096, "pages at"),
    ],
)
def test_absurd_headers(opened: Opener, field: int, value: int, said: str) -> None:
    numbers = list(struct.unpack_from(">I3Q", IMAGE, HEADER))
    numbers[field] = value
    image = IMAGE[:HEADER] + struct.pack(">I3Q", *numbers) + IMAGE[HEADER + 28 :]
    with pytest.raises((CorruptDump, UnsupportedDump), match=said) as caught:
        opened(image)
    assert "\n" not in str(caught.value)


def test_pages_far_beyond_the_file(opened: Opener) -> None:
    image = IMAGE[: HEADER + 20] + struct.pack(">Q", 1 << 40) + IMAGE[HEADER + 28 :]
    dump = opened(image)
    assert not dump.complete and list(dump.page_heads(8)) == []
    with pytest.raises(TruncatedPage):
        dump.read(0, 8)


def test_a_page_record_of_a_mapped_block(opened: Opener) -> None:
    end = struct.pack(">Q", 0x10) + b"\x7e\0\0\0\x02"
    at = IMAGE.rindex(b"\x03" + struct.pack(">I", 2) + end)
    record = struct.pack(">Q", 0x08) + b"\x06pc.ram" + page(1)
    with pytest.raises(CorruptDump, match="which is mapped"):
        opened(IMAGE[: at + 5] + record + IMAGE[at + 5 :])


@pytest.mark.parametrize(
    ("name", "said"),
    [(b"multifd", "channels of their own"), (b"x-ignore-shared", "memory-backend-file")],
)
def test_what_no_file_has_is_named(opened: Opener, name: bytes, said: str) -> None:
    with pytest.raises(UnsupportedDump, match=said) as caught:
        opened(Qevm(STREAM.rounds, LENGTHS, capabilities=[name]).write())
    assert name.decode() in str(caught.value)
