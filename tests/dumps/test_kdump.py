# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from crashext import (
    CorruptDump,
    ExcludedPage,
    MissingMemory,
    OtherPart,
    Range,
    TruncatedPage,
    UnsupportedDump,
)
from crashext.dumps.kdump import KdumpDump

from .conftest import Opener, page
from .writers.elf_writer import Elf, Load
from .writers.kdump_writer import Kdump
from .writers.notes import note, qemu_notes

ZERO = bytes(4096)
PAGES = {0: page(0), 1: ZERO, 2: page(2), 9: ZERO, 40000: page(40000), 40001: page(1)}


def test_memory_notes_and_header(opened: Opener) -> None:
    text = b"OSRELEASE=6.1\n"
    notes = qemu_notes(2) + note(b"VMCOREINFO", 0, text + b"\0\0")
    with opened(Kdump(PAGES, notes=notes, nr_cpus=2, phys_base=0x1000).write()) as dump:
        assert isinstance(dump, KdumpDump)
        assert (dump.format, dump.flattened, dump.compression) == ("kdump", False, "zlib")
        assert (dump.arch, dump.byte_order, dump.page_size) == ("x86_64", "little", 4096)
        assert dump.complete and not dump.warnings
        assert dump.ram == (Range(0, 0x3000), Range(0x9000, 0xA000), Range(0x9C40000, 0x9C42000))
        assert dump.ram_bytes == 6 * 4096
        assert [(n.name, n.type, len(n.desc)) for n in dump.notes] == [
            ("CORE", 1, 336), ("CORE", 1, 336), ("QEMU", 0, 440), ("QEMU", 0, 440),
            ("VMCOREINFO", 0, len(text) + 2),
        ]  # fmt: skip
        assert dump.vmcoreinfo == text
        assert dump.header.nr_cpus == 2 and dump.header.phys_base == 0x1000
        assert dump.header.utsname.machine == "x86_64" and dump.header.dump_level == 1
        assert dump.same_bitmaps
        for pfn, data in PAGES.items():
            assert dump.read(pfn * 4096, 4096) == data


def test_reads_cross_pages_and_stop_at_holes(opened: Opener) -> None:
    dump = opened(Kdump(PAGES).write())
    assert dump.read(4090, 4108) == (PAGES[0] + PAGES[1] + PAGES[2])[4090 : 4090 + 4108]
    assert dump.read(77, 0) == b""
    with pytest.raises(MissingMemory) as caught:
        dump.read(0x2FF0, 0x20)
    assert caught.value.paddr == 0x3000
    for paddr in (0x3000, 1 << 40, 1 << 70):
        with pytest.raises(MissingMemory):
            dump.read(paddr, 1)


def test_an_excluded_page_is_not_zeros(opened: Opener) -> None:
    dump = opened(Kdump({0: page(0), 3: page(3)}, frozenset({1, 2})).write())
    assert dump.ram == (Range(0, 0x4000),)
    assert dump.read(0x3000, 4096) == page(3)
    with pytest.raises(ExcludedPage) as caught:
        dump.read(0xFFF, 2)
    assert caught.value.paddr == 0x1000


def test_page_heads_skips_the_zero_page(opened: Opener) -> None:
    dump = opened(Kdump(PAGES).write())
    expected = [(pfn * 4096, data[:24]) for pfn, data in sorted(PAGES.items()) if any(data)]
    assert list(dump.page_heads(24)) == expected
    assert list(dump.page_heads(4096)) == [(p, PAGES[p // 4096]) for p, _ in expected]


@pytest.mark.parametrize(
    ("bits", "padded", "order", "version"),
    [
        (bits, padded, order, version)
        for (bits, padded), order, version in itertools.product(
            ((64, False), (32, False), (32, True)), ("little", "big"), range(1, 8)
        )
    ],
)
def test_every_version_width_and_order(
    opened: Opener, bits: int, padded: bool, order: str, version: int
) -> None:
    text = b"OSRELEASE=3.2\n"
    spec = Kdump(
        PAGES, bits=bits, padded=padded, order=order, version=version, vmcoreinfo=text,
        notes=qemu_notes(1, order=order), phys_base=0x1000000, eraseinfo=b"erase x\n",
    )  # fmt: skip
    dump = opened(spec.write())
    assert dump.complete and dump.byte_order == order
    assert len(dump.warnings) == (version > 6)
    assert dump.header.bits == bits and dump.header.phys_base == 0x1000000
    assert dump.vmcoreinfo == (text if version >= 3 else None)
    assert [n.name for n in dump.notes] == (["CORE", "QEMU"] if version >= 4 else [])
    assert dump.header.size_eraseinfo == (8 if version >= 5 else 0)
    for pfn, data in PAGES.items():
        assert dump.read(pfn * 4096, 4096) == data


@pytest.mark.parametrize("codec", ["none", "zlib", "lzo", "snappy", "zstd"])
@pytest.mark.parametrize("block", [4096, 16384, 65536])
def test_every_codec_and_block_size(opened: Opener, codec: str, block: int) -> None:
    incompressible = bytes(i * i * 7919 >> 5 & 0xFF for i in range(block))
    pages = {1: page(1, block), 5: bytes(block), 6: incompressible}
    dump = opened(Kdump(pages, codec=codec, block_size=block).write())
    assert dump.compression == codec and dump.page_size == block
    assert dump.read(block, block) == pages[1]
    assert dump.read(5 * block, 2 * block) == pages[5] + pages[6]
    assert [p for p, _ in dump.page_heads(64)] == [block, 6 * block]


def test_one_bitmap_only(opened: Opener) -> None:
    dump = opened(Kdump(PAGES, one_bitmap=True).write())
    assert dump.read(0x2000, 4096) == PAGES[2]


def test_max_mapnr_beyond_32_bits_is_believed_from_version_6(opened: Opener) -> None:
    spec = Kdump({5: page(5)}, max_mapnr=1 << 18)
    assert opened(spec.write()).header.max_mapnr == 1 << 18


def test_flagged_incomplete(opened: Opener) -> None:
    dump = opened(Kdump(PAGES, status=8).write())
    assert not dump.complete and "incomplete" in dump.warnings[0]


def test_cut_off_data_is_missing_not_corrupt(opened: Opener) -> None:
    image = Kdump(PAGES).write()
    dump = opened(image[:-10])
    assert not dump.complete and "cut off" in dump.warnings[0]
    assert dump.read(0, 4096) == PAGES[0]
    with pytest.raises(TruncatedPage):
        dump.read(40001 * 4096, 1)


def split(*bounds: int, **changes: object) -> list[bytes]:
    pages = {pfn: page(pfn) for pfn in range(0, 60, 2)}
    starts = (0, *bounds)
    return [
        Kdump(pages, frozenset({1}), part=part, notes=qemu_notes(1), **changes).write()  # type: ignore[arg-type]
        for part in zip(starts, (*bounds, 59), strict=True)
    ]


@pytest.mark.parametrize("bits", [32, 64])
def test_a_split_set_in_any_order(opened: Opener, bits: int) -> None:
    one, two, three = split(9, 30, bits=bits)
    with opened(two, three, one) as dump:
        assert dump.complete and not dump.warnings and len(dump.notes) == 2
        for pfn in range(0, 60, 2):
            assert dump.read(pfn * 4096, 4096) == page(pfn)
        assert [p // 4096 for p, _ in dump.page_heads(8)] == list(range(0, 60, 2))
        with pytest.raises(ExcludedPage):
            dump.read(4000, 4096)
        with pytest.raises(MissingMemory):
            dump.read(58 * 4096, 4097)


def test_reads_across_the_parts_of_a_split_set(opened: Opener) -> None:
    pages = {pfn: page(pfn) for pfn in range(8)}
    dump = opened(*(Kdump(pages, part=part).write() for part in ((0, 3), (3, 5), (5, 8))))
    assert dump.read(100, 8 * 4096 - 200) == b"".join(pages.values())[100:-100]


def test_a_part_of_a_split_set_alone(opened: Opener) -> None:
    _, two, _ = split(9, 30)
    dump = opened(two)
    assert not dump.complete and len(dump.warnings) == 2
    assert dump.read(10 * 4096, 4096) == page(10)
    with pytest.raises(OtherPart):
        dump.read(0, 1)


@pytest.mark.parametrize("fields", [{"tv_sec": 1700000000}])
def test_parts_that_were_written_later(opened: Opener, fields: dict[str, int]) -> None:
    one, _, three = split(9, 30)
    two = split(9, 30, overrides=fields)[1]
    dump = opened(one, two, three)
    assert dump.complete and [dump.read(n * 4096, 4096) for n in (0, 10, 58)] == [
        page(n) for n in (0, 10, 58)
    ]
    assert len(dump.warnings) == 1 and "dump1: its timestamp" in dump.warnings[0]


def test_parts_of_different_guests(opened: Opener) -> None:
    one, _, three = split(9, 30)
    for changes in ({"machine": b"i686"}, {"max_mapnr": 1 << 17}, {"block_size": 8192}):
        with pytest.raises(CorruptDump, match="not a part of the same dump"):
            opened(one, split(9, 30, **changes)[1], three)


def test_parts_that_do_not_belong_together(opened: Opener) -> None:
    one, two, _ = split(9, 30)
    for other in (one, Kdump(PAGES).write(), split(9, 30, block_size=8192)[1]):
        with pytest.raises(CorruptDump):
            opened(one, other)
    with pytest.raises(UnsupportedDump, match="several files"):
        opened(one, Elf([Load(0, ZERO)]).write())
    assert opened(one, two).read(28 * 4096, 4096) == page(28)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("block_size", 0), ("block_size", 4095), ("block_size", 1 << 31), ("sub_hdr_size", 0),
        ("sub_hdr_size", 0xFFFFFFFF), ("bitmap_blocks", 0), ("bitmap_blocks", 0x7FFFFFFF),
        ("max_mapnr_64", 1 << 62), ("max_mapnr", 0xFFFFFFFF),
    ],
)  # fmt: skip
def test_absurd_headers(opened: Opener, name: str, value: int) -> None:
    with pytest.raises(CorruptDump) as caught:
        dump = opened(Kdump(PAGES, overrides={name: value}).write())
        for pfn, data in PAGES.items():
            assert dump.read(pfn * 4096, 4096) == data
    assert "dump0" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "size", "flags"),
    [(None, 0, 1), (None, 5000, 1), (None, None, 8 | 1 | 2), (None, 9, 1), (None, None, 0)],
)
def test_a_page_that_does_not_decode(
    opened: Opener, offset: int | None, size: int | None, flags: int
) -> None:
    image = bytearray(Kdump({0: page(0)}).write())
    at = 4096 * 4
    old = int.from_bytes(image[at + 8 : at + 12], "little")
    image[at + 8 : at + 12] = (old if size is None else size).to_bytes(4, "little")
    image[at + 12 : at + 16] = flags.to_bytes(4, "little")
    with pytest.raises(CorruptDump, match="page at 0x0 can't be decoded"):
        opened(bytes(image)).read(0, 1)


def test_a_zlib_bomb_gives_one_block_at_most(opened: Opener) -> None:
    import zlib

    bomb = zlib.compress(bytes(1 << 20))
    image = Kdump({0: page(0), 1: page(1)}).write()
    at = int.from_bytes(image[4096 * 4 : 4096 * 4 + 8], "little")
    image = image[:at] + bomb
    image = image[: 4096 * 4 + 8] + len(bomb).to_bytes(4, "little") + image[4096 * 4 + 12 :]
    with pytest.raises(CorruptDump):
        opened(image).read(0, 4096)


def test_notes_area_outside_the_file_is_a_warning(opened: Opener) -> None:
    spec = Kdump(PAGES, notes=qemu_notes(1), overrides={"size_note": 1 << 40})
    dump = opened(spec.write())
    assert dump.notes == () and "notes" in dump.warnings[0]


@pytest.mark.parametrize("codec", ["zlib", "zstd"])
def test_reads_from_several_threads(opened: Opener, codec: str) -> None:
    pages = {pfn: page(pfn) for pfn in range(2000)}
    dump = opened(Kdump(pages, codec=codec).write())

    def work(seed: int) -> bool:
        chosen = random.Random(seed).choices(range(2000), k=1500)
        return all(dump.read(pfn * 4096, 4096) == pages[pfn] for pfn in chosen)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
