# SPDX-License-Identifier: GPL-3.0-or-later
"""Bitmaps over a network: told from a few parts where that is right, else read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crashext.budget import Budget
from crashext.dumps import outline
from crashext.dumps.bitmap import Bitmap
from crashext.dumps.kdump import KdumpDump
from crashext.dumps.outline import Runs
from crashext.dumps.source import FileSource
from crashext.errors import ExcludedPage, MissingMemory

from .conftest import page
from .writers.kdump_writer import Kdump

END = 1 << 18  # frames: a bitmap of 32 KiB
BLOCKS = [(0, 0xA0), (0xC0, 0x8000), (0x10000, END - 5)]
"""Of a PC: below the VGA's memory, below the PCI hole, above it."""


class Far(FileSource):
    """A file that is dear to read; where was read is kept."""

    costly = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Budget())
        self.asked: list[tuple[int, int]] = []

    def pread(self, offset: int, size: int) -> bytes:
        self.asked.append((offset, size))
        return super().pread(offset, size)

    def bytes_of(self, start: int, end: int) -> int:
        """How many bytes in between were asked for."""
        return sum(max(min(at + n, end) - max(at, start), 0) for at, n in self.asked)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts as small beside these bitmaps as they are beside one of 32 MiB."""
    monkeypatch.setattr(outline, "LEAST", 1 << 12)
    monkeypatch.setattr(outline, "_PART", 1 << 6)
    monkeypatch.setattr(outline, "_LOWEST", 1 << 9)


def frames(runs: Iterable[tuple[int, int]]) -> set[int]:
    return {pfn for start, end in runs for pfn in range(start, end)}


def far_dump(tmp_path: Path, wanted: Kdump) -> tuple[KdumpDump, int]:
    """A dump far away, and how much of its bitmaps was read."""
    path = tmp_path / "far"
    path.write_bytes(wanted.write())
    source = Far(path)
    dump = KdumpDump(source)
    start = dump.header.bitmap_offset
    return dump, source.bytes_of(start, dump.header.descriptors_offset)


@pytest.mark.parametrize("first", [b"", page(7)])
def test_the_blocks_of_a_guest_are_told_from_few_parts(tmp_path: Path, first: bytes) -> None:
    pages = dict.fromkeys(sorted(frames(BLOCKS)), b"")
    pages |= {0: first, 0x7FFF: page(1), 0x10000: page(2), END - 6: page(3)}
    dump, read = far_dump(tmp_path, Kdump(pages, max_mapnr=END))
    assert [(r.start >> 12, r.end >> 12) for r in dump.ram] == BLOCKS
    assert dump.same_bitmaps and read < 2 * END // 8 // 4
    for pfn, number in ((0x7FFF, 1), (0x10000, 2), (END - 6, 3)):
        assert dump.read(pfn << 12, 4096) == page(number)
    for pfn in (0xA0, 0x8000, END - 1):
        with pytest.raises(MissingMemory):
            dump.read(pfn << 12, 4096)


@pytest.mark.parametrize("hole", [(0x20300, 0x20301), (0x13000, 0x14000), (0x38000, END)])
def test_a_hole_that_nobody_looked_at_shows_in_the_number_of_pages(
    tmp_path: Path, hole: tuple[int, int]
) -> None:
    there = sorted(frames(BLOCKS) - frames([hole]))
    dump, _ = far_dump(tmp_path, Kdump(dict.fromkeys(there, b""), max_mapnr=END))
    assert frames((r.start >> 12, r.end >> 12) for r in dump.ram) == set(there)


def test_pages_that_were_left_out_are_known(tmp_path: Path) -> None:
    left_out = frozenset(range(0x11000, 0x12000, 3))
    pages = dict.fromkeys(sorted(frames(BLOCKS) - left_out), b"") | {0x11001: page(1)}
    dump, _ = far_dump(tmp_path, Kdump(pages, excluded=left_out))
    assert not dump.same_bitmaps and dump.read(0x11001 << 12, 4096) == page(1)
    with pytest.raises(ExcludedPage):
        dump.read(0x11003 << 12, 4096)


def test_bitmaps_of_nothing_but_edges_are_given_up_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who made the file can have each part differ from the next."""
    monkeypatch.setattr(outline, "_MOST_PARTS", 40)
    kept: list[int] = []
    read = outline._Parts._read

    def counted(self: outline._Parts, part: int) -> bool:
        kept.append(part)
        return read(self, part)

    monkeypatch.setattr(outline._Parts, "_read", counted)
    there = [pfn for pfn in range(END) if pfn // 512 % 2 == 0]
    dump, _ = far_dump(tmp_path, Kdump(dict.fromkeys(there, b""), max_mapnr=END))
    assert len(kept) <= 41 and len(dump.ram) == END // 1024


def test_what_is_near_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who made the file can't have another answer there than other tools have."""

    def never(source: object, header: object) -> None:
        raise AssertionError("told from parts")

    monkeypatch.setattr(outline, "outline", never)
    path = tmp_path / "near"
    path.write_bytes(Kdump(dict.fromkeys(range(1 << 16), b"")).write())
    assert len(KdumpDump(FileSource(str(path))).ram) == 1


RUNS = st.lists(st.integers(0, 4000), min_size=2, max_size=12, unique=True).map(sorted)


@given(RUNS, st.lists(st.integers(0, 5000), max_size=20))
def test_runs_answer_as_a_bitmap_does(ends: list[int], asked: list[int]) -> None:
    runs = list(zip(ends[::2], ends[1::2], strict=False))
    data = bytearray(512)
    for pfn in frames(runs):
        data[pfn // 8] |= 1 << pfn % 8
    few, bitmap = Runs(runs), Bitmap(bytes(data), 4096)
    assert list(few.runs()) == list(bitmap.runs()) and len(few) == len(bitmap)
    for pfn in (*asked, *ends):
        assert (pfn in few, few.rank(pfn)) == (pfn in bitmap, bitmap.rank(pfn))
