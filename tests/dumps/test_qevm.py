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

from crashext import CorruptDump, MissingMemory, Range, TruncatedPage, UnsupportedDump
from crashext.detect import detect
from crashext.dumps.qevm import QevmDump

from .conftest import Opener, page
from .writers.qevm_writer import Qevm

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
        assert dump.header.devices == ("cpu/0", "cpu/1") and dump.header.nr_cpus == 2
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


@pytest.mark.parametrize("name", [b"multifd", b"mapped-ram"])
def test_ram_kept_elsewhere_is_named(opened: Opener, name: bytes) -> None:
    with pytest.raises(UnsupportedDump, match=name.decode()):
        opened(Qevm(STREAM.rounds, LENGTHS, capabilities=[name]).write())


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
