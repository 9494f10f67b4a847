# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from crashext import (
    CorruptDump,
    MissingMemory,
    Range,
    TruncatedPage,
    UnsupportedDump,
    open_dump,
)
from crashext.detect import detect
from crashext.dumps.qevm import QevmDump
from crashext.errors import OverBudget

from .conftest import Opener, page
from .writers.qevm_writer import TIMER, Qevm, Section, difference, numbers, uleb

PAGES = {n: page(n) for n in range(40)} | {40: bytes(4096), 41: b"\xff" * 4096}
LENGTHS = {"pc.ram": 64 * 4096, "vga.vram": 8 * 4096}
STREAM = Qevm([{"pc.ram": PAGES, "vga.vram": {1: page(3)}}, {"pc.ram": {3: page(9)}}], LENGTHS)


@pytest.mark.parametrize("compress", [False, True])
def test_memory_and_facts(opened: Opener, compress: bool) -> None:
    stream = Qevm(STREAM.rounds, LENGTHS, compress=compress, capabilities=[b"compress"])
    with opened(stream.write()) as dump:
        assert isinstance(dump, QevmDump)
        assert (dump.format, dump.arch, dump.complete, dump.notes) == ("qevm", "x86_64", True, ())
        assert dump.ram == (Range(0, 64 * 4096),)
        assert dump.header.machine == "pc-i440fx-7.2" and dump.header.main == "pc.ram"
        assert dump.header.blocks == (("pc.ram", 64 * 4096), ("vga.vram", 8 * 4096))
        assert dump.header.devices == ("timer/0", "cpu/0", "cpu/1") and dump.header.nr_cpus == 2
        later = PAGES | {3: page(9)}
        for index, data in later.items():
            assert dump.read(index * 4096, 4096) == data
        assert dump.stored == (Range(0, 42 * 4096),)
        assert dict(dump.page_heads(16)) == {n * 4096: later[n][:16] for n in range(40)}
        with pytest.raises(MissingMemory):
            dump.read(50 * 4096, 1)
        with pytest.raises(MissingMemory):
            dump.read(64 * 4096, 1)


@pytest.mark.parametrize(
    ("machine", "size", "ram"),
    [
        (b"pc-i440fx-8.0", 0xE0000000 - 4096, [(0, 0xE0000000 - 4096)]),
        (b"pc-i440fx-8.0", 4 << 30, [(0, 3 << 30), (4 << 30, 5 << 30)]),
        (b"pc-q35-7.2", 0xB0000000 - 4096, [(0, 0xB0000000 - 4096)]),
        (b"pc-q35-7.2", 4 << 30, [(0, 2 << 30), (4 << 30, 6 << 30)]),
        (b"microvm", 1 << 30, [(0, 1 << 30)]),
    ],
)
def test_the_pci_hole(
    opened: Opener, machine: bytes, size: int, ram: list[tuple[int, int]]
) -> None:
    last = size // 4096 - 1
    dump = opened(Qevm([{"pc.ram": {last: page(1)}}], {"pc.ram": size}, machine).write())
    assert dump.ram == tuple(Range(*r) for r in ram)
    assert dump.read(ram[-1][1] - 4096, 4096) == page(1)


def test_other_boards(opened: Opener) -> None:
    for block, arch, base in (("mach-virt.ram", "aarch64", 1 << 30), ("x", "unknown", 0)):
        dump = opened(Qevm([{block: {0: page(1)}}], {block: 4096}, b"virt-7.2").write())
        assert dump.arch == arch and dump.read(base, 4096) == page(1)


def test_cut_anywhere(opened: Opener) -> None:
    image = STREAM.write()
    for length in (*range(8, 300, 7), *range(300, len(image), 4999)):
        try:
            dump = opened(image[:length])
        except CorruptDump:
            continue
        for index, data in PAGES.items():
            try:
                assert dump.read(index * 4096, 4096) == data or index == 3
            except TruncatedPage:
                assert not dump.complete


@pytest.mark.parametrize("compression", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("order", ["<", ">"])
def test_libvirt_save_images(
    opened: Opener, compression: int, order: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pack: list[Callable[[bytes], bytes]] = [
        bytes,
        gzip.compress,
        bz2.compress,
        lzma.compress,
        bytes,
        zstandard.compress,
    ]
    xml = b"<domain/>\0" + bytes(1000)
    header = struct.pack(order + "16s5I", b"LibvirtQemudSave", 2, len(xml), 1, compression, 0)
    image = header.ljust(92, b"\0") + xml + pack[compression](STREAM.write())
    with opened(image) as dump:
        assert dump.format == "qevm" and dump.read(4096, 4096) == page(1)
        assert detect(dump).origin == "qemu"
    with pytest.raises(CorruptDump, match="XML"):
        opened(image[:500])
    for other in (4, 7, 99):
        bad = header[:28] + struct.pack(order + "I", other) + image[32:]
        with pytest.raises(UnsupportedDump, match="compression"):
            opened(bad)


def test_absurd_streams(opened: Opener) -> None:
    image = STREAM.write()
    for old, new in (
        (struct.pack(">Q", 64 * 4096), struct.pack(">Q", 1 << 60)),
        (struct.pack(">Q", 72 * 4096 | 4), struct.pack(">Q", 1 << 62 | 4)),
        (struct.pack(">Q", 5 * 4096 | 0x28), struct.pack(">Q", 1 << 50 | 0x28)),
    ):
        assert old in image
        with pytest.raises(CorruptDump):
            opened(image.replace(old, new))


# -- differences

ROUNDS = [
    {"pc.ram": {0: page(1), 1: bytes(4096), 2: page(2), 3: page(3)}},
    {"pc.ram": {0: page(4), 1: page(5), 2: page(2)}},
    {"pc.ram": {0: page(6), 3: bytes(4096)}},
    *({"pc.ram": {2: page(n)}} for n in range(10, 40)),
]
DELTAS = Qevm(ROUNDS, {"pc.ram": 8 * 4096}, xbzrle=True)


def test_differences_are_applied_in_order(opened: Opener) -> None:
    with opened(DELTAS.write()) as dump:
        wanted = {0: page(6), 1: page(5), 2: page(39), 3: bytes(4096)}
        for index, data in wanted.items():
            assert dump.read(index * 4096, 4096) == data
        assert dict(dump.page_heads(32)) == {n * 4096: wanted[n][:32] for n in (0, 1, 2)}
        assert dump.stored == (Range(0, 4 * 4096),)


def test_a_whole_page_ends_the_differences(opened: Opener) -> None:
    later = Qevm([*ROUNDS, {"pc.ram": {0: page(9)}}], {"pc.ram": 8 * 4096}, xbzrle=True).write()
    plain = struct.pack(">Q", 0x08) + b"\x06pc.ram" + page(7)
    at = later.rindex(b"\x03" + struct.pack(">I", 2)) + 5
    assert opened(later).read(0, 4096) == page(9)
    end = struct.pack(">Q", 0x10)
    assert opened(later[:at] + plain + later[later.index(end, at) :]).read(0, 4096) == page(7)


def stream_of(*bodies: bytes, first: bytes = page(1)) -> bytes:
    """One page, sent whole and then by differences."""
    image = Qevm([{"pc.ram": {0: first}}, {}], {"pc.ram": 4096}).write()
    at = image.rindex(b"\x03" + struct.pack(">I", 2)) + 5
    records = [struct.pack(">Q", 0x40) + b"\x06pc.ram" + body for body in bodies]
    return image[:at] + b"".join(records) + image[at:]


@pytest.mark.parametrize(
    "body",
    [
        difference(b"\0\1x", encoding=2),
        difference(b"\0"),
        difference(b"\0\0"),
        difference(b"\x80"),
        difference(b"\x80\x80\1"),
        difference(b"\0\x80"),
        difference(b"\0\2x"),
        difference(uleb(4096) + b"\1x"),
        difference(uleb(4095) + b"\2xy"),
        difference(b"\0\1x" + uleb(4095) + b"\1y"),
        difference(bytes(4097)),
    ],
)
def test_absurd_differences(opened: Opener, body: bytes) -> None:
    with opened(stream_of(body)) as dump:
        with pytest.raises(CorruptDump) as caught:
            dump.read(0, 4096)
        assert "\n" not in str(caught.value) and "0x0" in str(caught.value)
        assert list(dump.page_heads(8)) == []


def test_the_last_byte_and_none(opened: Opener) -> None:
    last = opened(stream_of(difference(uleb(4095) + b"\1z"))).read(0, 4096)
    assert last == page(1)[:-1] + b"z"
    assert opened(stream_of(difference(b""))).read(0, 4096) == page(1)


def test_a_difference_to_nothing(opened: Opener) -> None:
    image = Qevm([{"pc.ram": {1: page(1)}}, {}], {"pc.ram": 8192}).write()
    at = image.rindex(b"\x03" + struct.pack(">I", 2)) + 5
    record = struct.pack(">Q", 0x40) + b"\x06pc.ram" + difference(b"\0\1x")
    with pytest.raises(CorruptDump, match="was not sent"):
        opened(image[:at] + record + image[at:]).read(0, 1)


def test_more_differences_than_any_migration_makes(opened: Opener, tmp_path: Path) -> None:
    image = stream_of(*[difference(b"\0\1x")] * 5000)
    with pytest.raises(CorruptDump, match="more than 4096"):
        opened(image).read(0, 1)
    with pytest.raises(OverBudget, match="list of XBZRLE differences"):
        open_dump(tmp_path / "dump0", max_memory=8192)


# -- vCPUs


def test_sections_before_and_behind_memory(opened: Opener) -> None:
    """What is described by fields, arrays, structures and subsections is told apart."""
    inner = {"vmsd_name": "seg", "fields": [numbers("selector", 1, 4), numbers("base", 1)]}
    fields = [
        numbers("regs", 3),
        {"name": "segs", "array_len": 2, "type": "struct", "struct": inner, "size": 12},
        {"name": "one", "type": "struct", "struct": inner, "size": 12},
        {**numbers("odd", 1, 2), "index": 1},
    ]
    below = [{"vmsd_name": "cpu/more", "version": 1, "fields": [numbers("more", 1)]}]
    body = bytes(range(24 + 24 + 12 + 2))
    extra = b"\x05\x08cpu/more" + struct.pack(">I", 1) + b"subfield"
    cpu = Section("cpu", 0, fields, body + extra, below)
    early = Section("early", 0, [numbers("x", 1)], b"\x02\x03\x04\x01\x05\x06\x07\x08")
    stream = Qevm(STREAM.rounds, LENGTHS, early=[early], sections=[TIMER, cpu, TIMER])
    with opened(stream.write()) as dump:
        assert dump.complete and dump.warnings == ()
        assert dump.cpu_states == (
            {
                "regs": body[:24],
                "segs[0].selector": body[24:28],
                "segs[0].base": body[28:36],
                "segs[1].selector": body[36:40],
                "segs[1].base": body[40:48],
                "one.selector": body[48:52],
                "one.base": body[52:60],
                "odd[1]": body[60:62],
                "more": b"subfield",
            },
        )
        assert dump.read(4096, 4096) == page(1)


FIELDS = [numbers("a", 2)]


@pytest.mark.parametrize(
    "cpu",
    [
        Section("cpu", 0, FIELDS, bytes(15)),
        Section("cpu", 0, FIELDS, bytes(17)),
        Section("cpu", 0, [{"name": "a", "size": -1}], b""),
        Section("cpu", 0, [{"name": "a", "size": 1 << 80}], b""),
        Section("cpu", 0, [{"name": "a", "size": 1, "array_len": 1 << 31}], b""),
        Section("cpu", 0, [{"name": "a", "size": "16"}], bytes(16)),
        Section("cpu", 0, [{"name": 3, "size": 16}], bytes(16)),
        Section("cpu", 0, [{"size": 16}], bytes(16)),
        Section("cpu", 0, [{**FIELDS[0], "struct": {"fields": FIELDS}}], bytes(16)),
        Section("cpu", 0, [{"name": "a", "size": 0, "array_len": 1 << 30, "struct": {}}], b""),
        Section("cpu", 0, FIELDS, bytes(16 + 9), [{"vmsd_name": "x", "version": 1}]),
        Section("cpu", 0, FIELDS, bytes(16), [{"vmsd_name": "x" * 300, "version": 1}]),
        Section("cpu", 0, [{"name": "a", "size": 1 << 21}], bytes(1 << 21)),
    ],
)
def test_a_description_that_does_not_fit(opened: Opener, cpu: Section) -> None:
    stream = Qevm(
        STREAM.rounds, LENGTHS, sections=[TIMER, Section("cpu", 1, FIELDS, bytes(16)), cpu]
    )
    with opened(stream.write()) as dump:
        assert dump.cpu_states == () and "no registers of the vCPUs" in dump.warnings[0]
        assert dump.complete and dump.read(4096, 4096) == page(1)
        assert "\n" not in dump.warnings[0]


def test_other_sections_than_are_described(opened: Opener) -> None:
    image = STREAM.write()
    for old, new in (
        (b'"name": "timer"', b'"name": "retim"'),
        (b'"instance_id": 1', b'"instance_id": 7'),
        (b'{"page_size"', b'{"Page_size"'),
    ):
        assert old in image
        dump = opened(image.replace(old, new))
        assert dump.complete and (dump.warnings != ()) == (b"age_size" not in old)
    deep = b'{"name": "timer", "instance_id": 0, "fields": ' + b"[" * 100_000
    text = b'{"devices": [' + deep
    dump = opened(image[: image.rindex(b"\x06")] + b"\x06" + struct.pack(">I", len(text)) + text)
    assert "no JSON" in dump.warnings[0]
