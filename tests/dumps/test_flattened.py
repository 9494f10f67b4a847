# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crashext import CorruptDump, TruncatedPage, UnsupportedDump
from crashext.dumps.intervals import PieceMap

from .conftest import Opener, page
from .writers.flat_writer import HEADER, flatten, records
from .writers.kdump_writer import Kdump

PAGES = {pfn: page(pfn) for pfn in range(50)}
IMAGE = Kdump(PAGES).write()


def test_same_as_plain(opened: Opener) -> None:
    dump = opened(flatten(records(IMAGE)))
    assert dump.flattened and dump.complete and dump.format == "kdump"
    assert all(dump.read(pfn * 4096, 4096) == data for pfn, data in PAGES.items())


def test_records_out_of_order(opened: Opener) -> None:
    parts = records(IMAGE, 1000)
    random.Random(1).shuffle(parts)
    dump = opened(flatten(parts))
    assert dump.read(0, 50 * 4096) == b"".join(PAGES.values())


def test_the_later_record_wins(opened: Opener) -> None:
    wrong = [(0, b"\xff" * 5000), (8000, b"\xee" * 20000)]
    dump = opened(flatten(wrong + records(IMAGE, 3000)))
    assert dump.read(0, 50 * 4096) == b"".join(PAGES.values())
    with pytest.raises(CorruptDump):
        opened(flatten([*records(IMAGE, 3000), (0, b"KDUMP   " + b"\xff" * 500)]))


def test_holes_are_zeros(opened: Opener) -> None:
    parts = [(at, data) for at, data in records(IMAGE, 512) if any(data)]
    assert len(parts) < len(IMAGE) // 512
    assert opened(flatten(parts)).read(0, 50 * 4096) == b"".join(PAGES.values())


def test_without_the_end_mark(opened: Opener) -> None:
    dump = opened(flatten(records(IMAGE), end=b""))
    assert not dump.complete and "end mark" in dump.warnings[0]
    assert dump.read(49 * 4096, 4096) == PAGES[49]


def test_cut_inside_a_record(opened: Opener) -> None:
    whole = flatten(records(IMAGE, 4096), end=b"")
    dump = opened(whole[:-100])
    assert not dump.complete and "inside a record" in dump.warnings[0]
    assert dump.read(0, 4096) == PAGES[0]
    with pytest.raises(TruncatedPage):
        dump.read(49 * 4096, 4096)


@pytest.mark.parametrize("end", [b"\xff" * 8 + bytes(8), b"\x80" + bytes(15)])
def test_any_negative_offset_ends(opened: Opener, end: bytes) -> None:
    assert opened(flatten(records(IMAGE), end=end)).complete


def test_negative_size(opened: Opener) -> None:
    with pytest.raises(CorruptDump, match="size -1"):
        opened(flatten(records(IMAGE), end=bytes(8) + b"\xff" * 8))


def test_another_version(opened: Opener) -> None:
    with pytest.raises(UnsupportedDump, match="version 2"):
        opened(HEADER[:24] + (2).to_bytes(8, "big") + HEADER[32:] + b"\xff" * 16)


def test_tiny_records_are_refused(opened: Opener) -> None:
    with pytest.raises(CorruptDump, match="records"):
        opened(flatten((at, b"x") for at in range(1 << 16)))


def test_a_huge_hole_costs_nothing(opened: Opener) -> None:
    parts = [*records(IMAGE), (1 << 62, b"x")]
    assert opened(flatten(parts)).read(0, 4096) == PAGES[0]
    absurd = Kdump(PAGES, overrides={"max_mapnr_64": 1 << 34, "bitmap_blocks": 1 << 20})
    with pytest.raises(CorruptDump):
        opened(flatten([*records(absurd.write()), (1 << 62, b"x")]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=12))
def test_piece_map_against_a_byte_array(ranges: list[tuple[int, int]]) -> None:
    places = list(itertools.accumulate((size for _, size in ranges), initial=0))[: len(ranges)]
    expected: dict[int, int] = {}
    for (start, size), place in zip(ranges, places, strict=True):
        expected |= {start + n: place + n for n in range(size)}
    pieces = PieceMap.of([r[0] for r in ranges], [r[1] for r in ranges], places)
    found: dict[int, int] = {}
    for index in range(len(pieces)):
        start, end, place = pieces[index]
        assert not index or start >= pieces[index - 1].end
        found |= {n: place + n - start for n in range(start, end)}
    assert found == expected
    for address in range(100):
        piece = pieces.at(address)
        assert (piece is not None) == (address in expected)
