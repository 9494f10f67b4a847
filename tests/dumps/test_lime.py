# SPDX-License-Identifier: GPL-3.0-or-later
"""What LiME writes inside a guest."""

from __future__ import annotations

import gzip
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from crashext import CorruptDump, MissingMemory, Range, TruncatedPage, UnsupportedDump, open_dump
from crashext.detect import detect
from crashext.dumps.lime import LimeDump
from crashext.errors import OverBudget

from .conftest import Opener, page
from .writers.lime_writer import lime, lime_header

LOW, HIGH = (page(1) + page(2) + page(3)), page(4)
RANGES = [(0x1000, LOW), (0x4000, HIGH), (0x100000000, page(5) + b"rest")]
IMAGE = lime(RANGES)


def test_ranges(opened: Opener) -> None:
    with opened(IMAGE) as dump:
        assert isinstance(dump, LimeDump)
        assert (dump.format, dump.arch, dump.complete, dump.warnings) == (
            "lime",
            "unknown",
            True,
            (),
        )
        assert dump.ram == (Range(0x1000, 0x5000), Range(0x100000000, 0x100001004))
        assert dump.header.version == 1 and dump.header.ranges == 3
        assert dump.read(0x3FF0, 32) == page(3)[-16:] + page(4)[:16]
        assert dump.read(0x100000FFE, 6) == page(5)[-2:] + b"rest"
        assert dump.read(0x1000, 0x4000) == LOW + HIGH
        heads = {n << 12: page(n)[:8] for n in range(1, 5)}
        assert dict(dump.page_heads(8)) == heads | {0x100000000: page(5)[:8]}
        assert list(dump.pages_with([(5, page(4)[5:20])])) == [0x4000]
        for paddr in (0, 0xFFF, 0x5000, 0x100001004):
            with pytest.raises(MissingMemory) as caught:
                dump.read(paddr, 1)
            assert caught.value.paddr == paddr
        assert dump.read(0, 0) == b""


def test_who_wrote_it(opened: Opener) -> None:
    found = detect(opened(IMAGE))
    assert (found.origin, found.confidence) == ("lime", "strong")


def test_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "memory.lime.gz"
    path.write_bytes(gzip.compress(IMAGE))
    with open_dump(path) as dump:
        assert dump.read(0x4000, 4096) == page(4)


def test_cut_anywhere(opened: Opener) -> None:
    for length in (*range(33, len(IMAGE), 509), len(IMAGE) - 1):
        with opened(IMAGE[:length]) as dump:
            at_a_border = length in (32 + len(LOW), 64 + len(LOW + HIGH))
            assert dump.complete == at_a_border and len(dump.warnings) == (not at_a_border)
            for paddr in (0x1000, 0x3000, 0x4000, 0x100000000):
                with suppress(MissingMemory, TruncatedPage):
                    assert dump.read(paddr, 4096) == page(paddr >> 12 if paddr < 1 << 32 else 5)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0x4FFF, 0x6000),  # overlaps what came before
        (0x1000, 0x1FFF),
        (0, 0xFFF),  # lies before it
        (0x8000, 0x7FFE),  # ends before it starts
        (0x5000, 0x4FFF),  # is empty
        (0x5000, (1 << 64) - 1),
        ((1 << 64) - 4096, (1 << 64) - 1),
    ],
)
def test_impossible_ranges(opened: Opener, first: int, last: int) -> None:
    with pytest.raises(CorruptDump, match=f"{first:#x} to {last:#x}") as caught:
        opened(lime(RANGES[:2]) + lime_header(first, last) + bytes(4096))
    assert "\n" not in str(caught.value)


def test_other_headers(opened: Opener) -> None:
    with pytest.raises(CorruptDump, match="should start"):
        opened(lime(RANGES[:1]) + bytes(64))
    with pytest.raises(UnsupportedDump, match="version 2"):
        opened(lime_header(0, 4095, version=2) + bytes(4096))
    huge = struct.pack("<4sI3Q", b"EMiL", 1, 0, 1 << 50, 0)
    dump = opened(huge + page(1))
    assert not dump.complete and dump.read(0, 4096) == page(1)
    with pytest.raises(TruncatedPage):
        dump.read(4096, 1)


def test_many_small_ranges_cost_little(tmp_path: Path) -> None:
    image = lime((n * 2, b"x") for n in range(40_000))
    (tmp_path / "dump").write_bytes(image)
    with open_dump(tmp_path / "dump", max_memory=200 << 20) as found:
        assert len(found.ram) == 40_000 and list(found.page_heads(8)) == []
    with pytest.raises(OverBudget):
        open_dump(tmp_path / "dump", max_memory=1 << 20)
