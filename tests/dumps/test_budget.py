# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that claim more than they have: little memory, little time, and the limit is named."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from crashext import CorruptDump, OverBudget, TruncatedPage, UnsupportedDump, open_dump
from crashext.budget import FREE_STEPS, Budget, Work, parse_size
from crashext.dumps.qevm_pages import ABSENT, FILLED, PageIndex
from crashext.notes import walk_notes
from tests.cost import assert_cheap, cost

from .conftest import Opener, page
from .writers import hostile
from .writers.elf_writer import Elf, Load
from .writers.flat_writer import flatten, records
from .writers.kdump_writer import Kdump
from .writers.notes import note, qemu_notes
from .writers.qevm_writer import Qevm

PAGES = {n: page(n) for n in range(40)}
TERABYTE = 1 << 40


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def physbase(path: Path, *more: str) -> None:
    for argv in (("detect", *more), ("physbase", *more)):
        assert_cheap(path, *argv)


# -- what is missing is not zeros


@pytest.mark.parametrize("lost", [1, 100, 4095, 4096])
def test_a_kdump_cut_in_its_first_page_of_data(opened: Opener, lost: int) -> None:
    """An uncompressed page that starts with zeros is no page of zeros when it is cut."""
    first = bytes(4000) + b"tail".ljust(96, b"!")
    image = Kdump({0: first}, codec="none").write()
    at = len(image) - 4096
    # Without the shared page of zeros, as `makedumpfile -d 0` writes it.
    image = image[: at - 4096] + first
    desc = at - 4096 - 24
    image = image[:desc] + struct.pack("<Q", at - 4096) + image[desc + 8 :]
    assert opened(image).read(0, 4096) == first
    with pytest.raises(TruncatedPage):
        opened(image[:-lost]).read(0, 4096)


def test_what_a_cut_flattened_file_lost_is_not_zeros(opened: Opener) -> None:
    """Records come in any order: those that are lost leave holes among the others."""
    image = Kdump(PAGES, codec="none").write()
    parts = records(image, 4096)
    order = [*parts[:6], *parts[-2:], *parts[6:-2]]
    dump = opened(flatten(order)[: -20 * 4096])
    assert dump.read(39 * 4096, 4096) == PAGES[39] and not dump.complete
    with pytest.raises(TruncatedPage):
        dump.read(30 * 4096, 4096)


# -- memory


@pytest.mark.parametrize(("records_", "size"), [(100, 8 << 30), (4000, 1 << 30), (4000, 4096)])
def test_memory_sizes_count_together(tmp_path: Path, records_: int, size: int) -> None:
    physbase(write(tmp_path / "qevm", hostile.memory_sizes(records_, size)))


def test_a_stream_of_untouched_memory(opened: Opener) -> None:
    """Pages of one byte in a row cost next to nothing, and the limit is named beyond."""
    pages = dict.fromkeys(range(20000), bytes(4096))
    image = Qevm([{"pc.ram": pages}], {"pc.ram": 1 << 31}).write()
    dump = opened(image)
    assert dump.read(19999 * 4096, 4096) == bytes(4096) and dump.stored[-1].end == 20000 * 4096
    path = Path(dump.path)
    with pytest.raises(OverBudget, match=r"index of the stream's pages.*of --max-memory allow"):
        open_dump(path, max_memory=4000)


def test_page_index_against_a_plain_list() -> None:
    index, plain = PageIndex(3000, Budget(), ""), [ABSENT] * 3000
    changes = [(n, FILLED) for n in range(1200)] + [(n, n * 4096) for n in range(0, 3000, 7)]
    changes += [(5, FILLED | 9), (2999, FILLED), (5, FILLED), (600, FILLED)]
    for at, entry in changes:
        index[at] = plain[at] = entry
    assert [index[n] for n in range(3000)] == plain and len(index) == 3000
    expected = [(n, e) for n, e in enumerate(plain) if e]
    assert list(index.items(0, 3000)) == expected
    assert list(index.items(700, 1300)) == [(n, e) for n, e in expected if 700 <= n < 1300]


@pytest.mark.parametrize("max_mapnr", [1 << 25, 300 << 20, 1 << 32, 1 << 40])
def test_bitmaps_in_holes(tmp_path: Path, max_mapnr: int) -> None:
    path = tmp_path / "kdump"
    hostile.huge_bitmap(path, max_mapnr)
    physbase(path)


def test_a_million_segments(tmp_path: Path) -> None:
    loads = [(0x1000, n * 8192, 4096, 4096) for n in range(1_000_000)]
    path = write(tmp_path / "elf", hostile.elf(loads))
    taken = assert_cheap(path, "detect", allowed=(3,))
    assert "needs more than the 80 MiB of --max-memory allow" in taken.err
    assert cost("detect", "--max-memory", "2G", path).status == 0


def test_separate_ranges_of_ram(tmp_path: Path) -> None:
    """Each makes an answer longer that lists them."""
    bits = b"\x55" * (1 << 14)
    image = bytearray(Kdump({0: b""}, max_mapnr=len(bits) * 8).write())
    image[2 * 4096 : 2 * 4096 + len(bits)] = image[6 * 4096 : 6 * 4096 + len(bits)] = bits
    assert_cheap(write(tmp_path / "kdump", bytes(image)), "detect", "--json")


@pytest.mark.parametrize("name_size", [257, 60 << 20])
def test_long_names_of_notes(tmp_path: Path, name_size: int) -> None:
    notes = note(b"CORE", 1, bytes(336)) + note(b"\xff" * name_size, 1, b"x")
    assert [n.name for n in walk_notes(notes, "little")] == ["CORE"]
    path = write(tmp_path / "elf", Elf([Load(0, PAGES[0])], notes=notes).write())
    physbase(path)


def test_many_notes_in_many_segments(tmp_path: Path) -> None:
    """Each PT_NOTE names the same area, full of the smallest notes there can be."""
    area = struct.pack("<3I", 0, 0, 1) * 80_000
    head = 64 + 56 * 2001
    image = bytearray(hostile.elf([(0, 0, 0, 0)] * 2000))
    for at in range(64 + 56, head, 56):
        image[at : at + 56] = struct.pack("<2I6Q", 4, 0, head, 0, 0, len(area), len(area), 0)
    assert_cheap(write(tmp_path / "elf", bytes(image) + area), "detect")


def test_a_long_description_of_devices(tmp_path: Path) -> None:
    text = b'{"devices": [' + b"[" * 4_000_000 + b'{"name": "cpu", "instance_id": 3}'
    image = Qevm([{"pc.ram": PAGES}], {"pc.ram": 64 * 4096}).write()
    image += b"\x06" + struct.pack(">I", len(text)) + text
    taken = assert_cheap(write(tmp_path / "qevm", image), "detect")
    assert taken.status == 0


@pytest.mark.parametrize("bits", [b"\x55", b"\xff"])
def test_bits_of_pages_that_are_holes(tmp_path: Path, bits: bytes) -> None:
    """A bitmap is small, what it says that there is to search is not."""
    length = 64 << 30
    image = Qevm([{}], {"pc.ram": 4096}, mapped=True).write()
    at = image.index(b"\x06pc.ram") + 7
    total = struct.pack(">Q", length | 4)
    head = image[: at - 15] + total + image[at - 7 : at] + struct.pack(">Q", length)
    bitmap = bits * (length >> 15)
    place = 1 << 30
    head += struct.pack(">I3Q", 1, 4096, len(head) + 28, place) + bitmap
    path = write(tmp_path / "qevm", head)
    os.truncate(path, place + length)
    physbase(path)


# -- holes


@pytest.mark.parametrize("kind", ["raw", "elf", "kdump"])
def test_a_sparse_terabyte(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    heads = {
        "raw": page(1),
        "elf": hostile.elf([(4096, 0, TERABYTE, TERABYTE)]).ljust(4096, b"\0") + page(1),
        "kdump": Kdump(dict.fromkeys(range(1 << 18), b"")).write()[: 2 * 4096 + (1 << 16)],
    }
    hostile.sparse(path, heads[kind], TERABYTE)
    physbase(path, *(("--format", "raw") if kind == "raw" else ()))


def test_data_behind_holes_is_found(tmp_path: Path) -> None:
    mark = b"OSRELEASE=6.1"
    for offset in (0, 0x1000, 0x234):
        path = tmp_path / f"raw{offset}"
        hostile.sparse(path, mark, 8 << 30)
        places = [0, (1 << 30) + offset, (1 << 30) + offset + 4096, (8 << 30) - 4096]
        with path.open("r+b") as file:
            for place in places:
                file.seek(place)
                file.write(mark)
        shift = 0x1000 - offset % 0x1000
        with open_dump(path, format="raw", offset=shift) as dump:
            found = [p - shift for p in dump.pages_with([(0, mark)])]
            assert found == [p for p in places if (p + shift) % 4096 == 0]
            assert len(dump.stored) == 3 and sum(r.size for r in dump.stored) < 1 << 17


# -- work


@pytest.mark.parametrize("codec", ["lzo", "snappy", "zlib", "zstd"])
def test_descriptors_that_share_a_page(tmp_path: Path, codec: str) -> None:
    image = hostile.shared_page(codec, 1 << 20, 20_000, b"x" * (1 << 20))
    physbase(write(tmp_path / "kdump", image))


@pytest.mark.parametrize(("count", "size"), [(60_000, 4 << 20), (130_000, 1 << 20)])
def test_aliased_segments(tmp_path: Path, count: int, size: int) -> None:
    image = hostile.aliased(count, size, 8 << 20)
    physbase(write(tmp_path / "elf", image))


def test_shared_bytes_are_searched_once_at_the_lowest_address(opened: Opener) -> None:
    loads = [Load(0x300000, PAGES[1]), Load(0x100000, PAGES[1], shares=0), Load(0, PAGES[2])]
    dump = opened(Elf(loads).write())
    assert [p for p, _ in dump.page_heads(8)] == [0, 0x100000]
    assert dump.read(0x300000, 4096) == dump.read(0x100000, 4096) == PAGES[1]


def test_single_pages_without_descriptors(tmp_path: Path) -> None:
    """Every other page is there, and the descriptors are a hole."""
    bits = b"\xf7" * (1 << 20)
    image = Kdump({0: b""}, max_mapnr=len(bits) * 8, codec="none").write()[: 2 * 4096]
    path = tmp_path / "kdump"
    hostile.sparse(path, image + b"\xff" * len(bits) + bits, 1 << 36)
    physbase(path)


def test_a_flattened_dump_without_its_descriptors(tmp_path: Path) -> None:
    """140 KB of bits, each second one a page of its own, and the rest a hole of the image."""
    bits = b"\x55" * (140_000 // 4096 * 4096)
    head = Kdump({0: b""}, max_mapnr=len(bits) * 8).write()[: 2 * 4096]
    parts = [(0, head), (len(head), b"\xff" * len(bits)), (len(head) + len(bits), bits)]
    path = write(tmp_path / "flat", flatten([*parts, (1 << 33, b"x")]))
    physbase(path)


def test_work_follows_the_bytes_on_disk() -> None:
    work = Work("searching", "some/file", 1000)
    work.spend(FREE_STEPS + 1000)
    with pytest.raises(OverBudget, match="some/file: searching takes more than the 401000 steps"):
        work.spend(1)


# -- exceptions


def test_a_record_as_long_as_can_be(opened: Opener) -> None:
    image = flatten(records(Kdump(PAGES).write()), end=struct.pack(">qq", 0, (1 << 63) - 1))
    assert not opened(image + b"KDUMP   ").complete


@pytest.mark.parametrize("memsz", [4096, 1 << 52])
def test_a_segment_at_the_end_of_all_addresses(opened: Opener, memsz: int) -> None:
    image = hostile.elf([(4096, (1 << 64) - memsz, 4096, memsz)]).ljust(8192, b"x")
    with pytest.raises(CorruptDump, match="physical address"):
        opened(image)


def test_libvirt_headers_in_one_another(opened: Opener) -> None:
    head = struct.pack("<16s5I", b"LibvirtQemudSave", 2, 4, 1, 0, 0).ljust(96, b"\0")
    with pytest.raises(UnsupportedDump, match="containers"):
        opened(head * 2000 + Qevm([{"pc.ram": PAGES}], {"pc.ram": 64 * 4096}).write())


# -- options


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 512 << 20), ("2G", 2 << 30), ("1000", 1000), ("3 KiB", 3072), ("1tb", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1.5G", "12q", "1e9", "9" * 30])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)
    taken = cost("detect", "--max-memory", text, "missing")
    assert taken.status == 2 and taken.err.count("\n") == 0


@pytest.mark.parametrize("option", ["--max-memory", "--max-unpacked"])
def test_options_reach_the_dump(tmp_path: Path, option: str) -> None:
    import gzip

    path = write(tmp_path / "gz", gzip.compress(Kdump(PAGES, notes=qemu_notes()).write()))
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    small = cost("detect", option, "100", path, environment=cache)
    assert small.status == 3 and option in small.err
    assert cost("detect", option, "1G", path, environment=cache).status in (0, 1)


def test_limits_are_shared_by_the_parts_of_a_set(tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        part = Kdump(dict.fromkeys(range(1 << 16), b""), part=(number << 14, (number + 1) << 14))
        paths.append(write(tmp_path / f"part{number}", part.write()))
    most = 5 * (1 << 13) + 1024
    with open_dump(paths[0], max_memory=most):
        pass
    with pytest.raises(OverBudget, match="--max-memory"):
        open_dump(*paths, max_memory=most)
