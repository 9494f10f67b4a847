# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing kdumps: headers, block sizes, what was left out, what can't be read."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from crashext import Dump, open_dump
from crashext.dumps.base import Note, Range
from crashext.dumps.kdump import KdumpDump
from crashext.dumps.kdump_types import Utsname
from crashext.errors import MissingMemory, UnsupportedDump
from crashext.repair.headers import Headers
from crashext.repair.write import frames
from crashext.repair.write.frames import Frames
from tests.dumps.writers.elf_writer import Elf, Load
from tests.dumps.writers.kdump_writer import Kdump
from tests.dumps.writers.notes import qemu_notes
from tests.dumps.writers.qevm_writer import Qevm

from .memory import assert_same_memory, headers_of, left_out, page_of, write

UTS = Utsname("Linux", "guest", "6.1.0", "#1 SMP", "some", "(none)")
TEXT = b"OSRELEASE=6.1.0\nPAGESIZE=4096\n"


def kdump(path: Path, **facts: object) -> Dump:
    path.write_bytes(Kdump(**facts).write())  # type: ignore[arg-type]
    return open_dump(path)


def pages(size: int = 4096) -> dict[int, bytes]:
    """Runs of text, zeros long and short, noise; a frame far up."""
    text = {n: (b"page %06d " % n).ljust(64, b".") * (size // 64) for n in range(40)}
    noise = {n: Random(n).randbytes(size) for n in range(40, 50)}
    zeros = dict.fromkeys(range(50, 2000), bytes(size))
    last = {n: (b"end %d" % n).ljust(size, b"\0") for n in range(2000, 2010, 2)}
    return text | noise | zeros | last | {60: b"x" * size, 9000: b"y" * size}


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["little", "big"])
def test_headers_come_back(tmp_path: Path, bits: int, order: Literal["little", "big"]) -> None:
    notes = (Note("CORE", 1, b"r" * 336, 0), Note("VMCOREINFO", 0, TEXT, 0), Note("X", 9, b"z", 0))
    headers = Headers(
        "any", order, bits, notes, phys_base=-0x200000, utsname=UTS, timestamp=(1700000000, 42),
        nr_cpus=3, page_size=4096,
    )  # fmt: skip
    with kdump(tmp_path / "in", pages=pages()) as dump:
        write(dump, tmp_path / "out", "zlib", headers)
    raw = (tmp_path / "out").read_bytes()
    with open_dump(tmp_path / "out") as new:
        header = new.header
        assert (header.bits, header.byte_order, header.header_version) == (bits, order, 6)
        assert header.layout == ("64-bit" if bits == 64 else "32-bit packed")
        assert (header.utsname, header.timestamp) == (UTS, (1700000000, 42))
        assert header.phys_base == -0x200000 % (1 << bits)
        assert (header.dump_level, header.nr_cpus, header.status) == (1, 3, 1)
        assert header.max_mapnr == 9001 and header.split == 0
        assert raw[header.offset_vmcoreinfo :][: header.size_vmcoreinfo] == TEXT
        inside = range(header.offset_note, header.offset_note + header.size_note)
        assert header.offset_vmcoreinfo in inside
        assert [(n.name, n.type, n.desc) for n in new.notes] == [
            (n.name, n.type, n.desc) for n in notes
        ]
        assert new.complete and new.warnings == ()


def test_pages_of_zeros_share_one_and_noise_is_stored_raw(tmp_path: Path) -> None:
    with kdump(tmp_path / "in", pages=pages()) as dump:
        written = write(dump, tmp_path / "out", "zlib")
        with open_dump(tmp_path / "out") as new:
            assert isinstance(new, KdumpDump)
            stored = sorted(new.stored_pages(range(40, 60)))
    assert [(desc.size, desc.flags) for _, desc, _ in stored[:10]] == [(4096, 0)] * 10
    assert {desc.offset for _, desc, _ in stored[10:]} == {written_data_start(tmp_path / "out")}
    assert (written.pages, written.zero_pages) == (2006, 1949)
    assert written.bytes_written < 200_000


def written_data_start(path: Path) -> int:
    with open_dump(path) as dump:
        return int(dump.header.descriptors_offset + 24 * 2006)


@pytest.mark.parametrize(
    ("block", "new"), [(4096, 65536), (65536, 4096), (4096, 16384), (65536, 16384)]
)
@pytest.mark.parametrize("to", ["lzo", "keep"])
def test_blocks_of_another_size(tmp_path: Path, block: int, new: int, to: str) -> None:
    with kdump(tmp_path / "in", pages=pages(block), block_size=block, codec="zstd") as dump:
        write(dump, tmp_path / "out", to, headers_of(dump, new))
        with open_dump(tmp_path / "out") as out:
            assert out.page_size == new
            assert out.compression == ("zstd" if to == "keep" else "lzo")
            for pfn, page in pages(block).items():
                assert out.read(pfn * block, block) == page
            for paddr in range(2001 * block, 9000 * block, 8 * block):
                there = any(r.start <= paddr // new * new < r.end for r in out.ram)
                assert page_of(out, paddr) == ("none" if not there else bytes(4096)) or (
                    paddr // block in pages(block)
                )


def test_a_block_that_is_partly_there_is_filled_up_with_zeros(tmp_path: Path) -> None:
    loads = [Load(0x1000, b"a" * 0x2000), Load(0x4000, b"b" * 0x1800), Load(0x13000, b"c" * 0x1000)]
    (tmp_path / "in").write_bytes(Elf(loads, notes=qemu_notes()).write())
    with open_dump(tmp_path / "in") as dump:
        write(dump, tmp_path / "out", "zlib", headers_of(dump, 65536))
    with open_dump(tmp_path / "out") as new:
        assert new.ram == (Range(0, 0x20000),)
        expected = bytearray(0x20000)
        for load in loads:
            expected[load.paddr : load.paddr + len(load.data)] = load.data
        assert new.read(0, 0x20000) == expected


@pytest.mark.parametrize("to", ["zlib", "keep"])
def test_what_was_left_out_stays_left_out(tmp_path: Path, to: str) -> None:
    held = pages()
    excluded = frozenset({*range(2001, 2010, 2), *range(8000, 8500), 9001})
    with kdump(tmp_path / "in", pages=held, excluded=excluded, dump_level=17) as dump:
        written = write(dump, tmp_path / "out", to)
        assert (written.unreadable, written.pages) == (0, len(held))
        with open_dump(tmp_path / "out") as new:
            assert assert_same_memory(dump, new) == len(held)
            assert new.header.dump_level == 17
            assert [page_of(new, n * 4096) for n in (8000, 9001, 8500)] == [
                "excluded", "excluded", "none"
            ]  # fmt: skip
        # In larger blocks, one of which a part was left out is left out.
        write(dump, tmp_path / "out", to, headers_of(dump, 16384))
        with open_dump(tmp_path / "out") as new:
            assert page_of(new, 2000 * 4096) == page_of(new, 2001 * 4096) == "excluded"
            assert page_of(new, 9000 * 4096) == "excluded" != page_of(new, 1996 * 4096)


def test_ranges_of_an_elf_without_bytes_stay_left_out(tmp_path: Path) -> None:
    loads = [Load(0, b"a" * 0x8000), Load(0x8000, b"", memsz=0x8000), Load(0x10000, b"b" * 0x1000)]
    (tmp_path / "in").write_bytes(Elf(loads).write())
    with open_dump(tmp_path / "in") as dump:
        write(dump, tmp_path / "out", "none")
        with open_dump(tmp_path / "out") as new:
            assert assert_same_memory(dump, new) == 9
            assert left_out(new) == [(0x8000, 0x10000)]
            assert new.header.dump_level == 31


def spoilt(path: Path, codec: str = "zlib") -> tuple[Dump, set[int]]:
    """A dump of which some pages can't be decoded."""
    held = {n: (b"page %06d " % n).ljust(64, b".") * 64 for n in range(3000)}
    image = bytearray(Kdump(held, codec=codec).write())
    path.write_bytes(image)
    with open_dump(path) as dump:
        assert isinstance(dump, KdumpDump)
        bad = {7, 8, 600, 2999}
        for _, desc, _ in [p for n in bad for p in dump.stored_pages(range(n, n + 1))]:
            image[desc.offset : desc.offset + desc.size] = b"\xff" * desc.size
    path.write_bytes(image)
    return open_dump(path), bad


@pytest.mark.parametrize("to", ["zlib", "zstd", "zlib-flat", "elf", "elf-flat"])
@pytest.mark.parametrize("threads", [1, 2])
def test_what_cant_be_read_is_left_out_and_counted(tmp_path: Path, to: str, threads: int) -> None:
    dump, bad = spoilt(tmp_path / "in")
    with dump:
        written = write(dump, tmp_path / "out", to, threads=threads)
        assert written.unreadable == 4 and written.pages == 2996
        assert written.addresses == [n * 4096 for n in sorted(bad)]
        with open_dump(tmp_path / "out") as new:
            assert new.complete and new.warnings == ()
            for pfn in range(3000):
                page = page_of(new, pfn * 4096)
                assert page == ("excluded" if pfn in bad else dump.read(pfn * 4096, 4096))


def test_what_is_cut_off_is_left_out_and_counted(tmp_path: Path) -> None:
    dump, _ = spoilt(tmp_path / "in")
    dump.close()
    size = (tmp_path / "in").stat().st_size
    os.truncate(tmp_path / "in", size - 20_000)
    with open_dump(tmp_path / "in") as cut:
        for to, threads in product(("zlib", "keep", "elf"), (1, 2)):
            written = write(cut, tmp_path / "out", to, threads=threads)
            with open_dump(tmp_path / "out") as new:
                lost = [n for n in range(3000) if page_of(new, n * 4096) == "excluded"]
                # keep doesn't inflate, so it doesn't see what can't be.
                assert len(lost) == written.unreadable > (100 if to != "keep" else 90)
                assert written.addresses == [n * 4096 for n in lost[:8]]


def test_keep_copies_bytes_as_they_are_stored(tmp_path: Path) -> None:
    mixed = Kdump(pages(), codec="snappy").write()
    (tmp_path / "in").write_bytes(mixed)
    with open_dump(tmp_path / "in") as dump:
        write(dump, tmp_path / "out", "keep")
        with open_dump(tmp_path / "out") as new:
            assert isinstance(dump, KdumpDump) and isinstance(new, KdumpDump)
            for first, last in ((0, 2000), (9000, 9001)):
                ours, theirs = (
                    [(n, d.size, d.flags, b) for n, d, b in x.stored_pages(range(first, last))]
                    for x in (new, dump)
                )
                assert ours == theirs and len(ours) == last - first


def test_memory_too_far_up_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(b"x" * 4096)
    with (
        open_dump(tmp_path / "raw", format="raw", offset=1 << 50) as dump,
        pytest.raises(UnsupportedDump, match="write an ELF core"),
    ):
        Frames(dump, 4096)


@pytest.mark.parametrize("part", [8, 32, 1 << 18])
def test_spans_are_all_dumped_frames(
    tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_PART", part)
    excluded = frozenset({*range(100, 110), *range(3000, 5000, 2)})
    held = {n: page for n, page in pages().items() if n not in excluded}
    with kdump(tmp_path / "in", pages=held, excluded=excluded) as dump:
        made = Frames(dump, 4096)
        spans = list(made.spans(7))
    assert [n for span in spans for n in range(span.first, span.last)] == sorted(held)
    assert made.count == len(held) and made.filtered
    known = {n for span in spans if span.zero for n in range(span.first, span.last)}
    assert len(known) > 1000 and not any(held[n].strip(b"\0") for n in known)
    assert all(span.last - span.first <= 7 for span in spans if not span.zero)


def test_no_page_that_nobody_has(tmp_path: Path) -> None:
    with kdump(tmp_path / "in", pages={3: b"x" * 4096}) as dump:
        write(dump, tmp_path / "out", "zlib")
        with open_dump(tmp_path / "out") as new, pytest.raises(MissingMemory):
            new.read(0, 1)


def test_a_split_dump_becomes_one(tmp_path: Path) -> None:
    held, excluded = pages(), frozenset(range(8000, 8100))
    paths = [tmp_path / "one", tmp_path / "two"]
    for path, part in zip(paths, ((0, 1000), (1000, 9001)), strict=True):
        path.write_bytes(Kdump(held, excluded=excluded, part=part, dump_level=31).write())
    with open_dump(*paths) as dump:
        for to in ("keep", "elf"):
            write(dump, tmp_path / "out", to)
            with open_dump(tmp_path / "out") as new:
                assert assert_same_memory(dump, new) == len(held)
    with open_dump(paths[0]) as half:
        for to in ("zlib", "elf"):
            written = write(half, tmp_path / "out", to)
            with open_dump(tmp_path / "out") as new:
                assert page_of(new, 999 * 4096) == held[999]
                assert page_of(new, 1000 * 4096) == "excluded"
            assert (written.pages, written.unreadable) == (1000, len(held) - 1000)


def test_a_migration_stream_becomes_a_dump(tmp_path: Path) -> None:
    ram = {n: (b"page %06d " % n).ljust(64, b".") * 64 for n in range(0, 500, 3)}
    zeros = {n: bytes(4096) for n in range(512) if n not in ram}
    stream = Qevm([{"pc.ram": ram | zeros}], {"pc.ram": 512 * 4096}).write()
    (tmp_path / "in").write_bytes(stream)
    with open_dump(tmp_path / "in") as dump:
        for to in ("zlib", "elf"):
            written = write(dump, tmp_path / "out", to)
            assert (written.pages, written.zero_pages) == (512, len(zeros))
            with open_dump(tmp_path / "out") as new:
                assert assert_same_memory(dump, new) == 512
