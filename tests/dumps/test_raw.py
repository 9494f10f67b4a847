# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crashext import CorruptDump, MissingMemory, Range, open_dump

from .conftest import page

DATA = b"".join(page(n) for n in range(20))


def test_from_the_address_given(tmp_path: Path) -> None:
    path = tmp_path / "pmem"
    path.write_bytes(DATA)
    with open_dump(path, format="raw", offset=0x100000) as dump:
        assert dump.format == "raw" and dump.ram == (Range(0x100000, 0x100000 + len(DATA)),)
        assert dump.read(0x100000 + 4090, 5000) == DATA[4090:9090]
        assert dict(dump.page_heads(8)) == {0x100000 + n * 4096: page(n)[:8] for n in range(20)}
        assert dump.arch == "unknown" and dump.notes == () and dump.vmcoreinfo is None
        for paddr, size, missing in ((0xFFFFF, 2, 0xFFFFF), (0x113FFF, 2, 0x114000)):
            with pytest.raises(MissingMemory) as caught:
                dump.read(paddr, size)
            assert caught.value.paddr == missing
    with pytest.raises(CorruptDump):
        open_dump(path, format="raw", offset=-1)


def test_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "pmem.gz"
    path.write_bytes(gzip.compress(DATA))
    with open_dump(path, format="raw") as dump:
        assert dump.read(0, len(DATA)) == DATA


def test_several_files_each_from_its_own_address(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    low.write_bytes(DATA[: 8 * 4096])
    high.write_bytes(DATA[8 * 4096 :] + b"odd")
    for paths, offsets in (
        ((low, high), (0x10000, 0x100000000)),
        ((high, low), (0x100000000, 0x10000)),
    ):
        with open_dump(*paths, format="raw", offset=offsets) as dump:
            assert dump.path == str(paths[0]) and dump.complete
            assert dump.ram == (Range(0x10000, 0x18000), Range(0x100000000, 0x10000C003))
            assert dump.header.offsets == offsets and dump.header.offset == offsets[0]
            assert dump.read(0x17FFE, 2) == DATA[8 * 4096 - 2 : 8 * 4096]
            assert dump.read(0x10000BFFE, 5) == DATA[-2:] + b"odd"
            places = [0x10000 + n * 4096 for n in range(8)]
            places += [0x100000000 + n * 4096 for n in range(12)]
            assert dict(dump.page_heads(12)) == {p: page(n)[:12] for n, p in enumerate(places)}
            assert list(dump.pages_with([(5, page(9)[5:14])])) == [0x100001000]
            assert dump.stored == dump.ram
            for missing in (0xFFFF, 0x18000, 0x10000C003):
                with pytest.raises(MissingMemory) as caught:
                    dump.read(missing, 1)
                assert caught.value.paddr == missing


def test_files_side_by_side_are_one_range(tmp_path: Path) -> None:
    parts = [tmp_path / f"part{n}" for n in range(20)]
    for n, path in enumerate(parts):
        path.write_bytes(page(n))
    with open_dump(*parts, format="raw", offset=[n * 4096 for n in range(20)]) as dump:
        assert dump.ram == (Range(0, len(DATA)),)
        assert dump.read(0, len(DATA)) == DATA and dump.read(4090, 5000) == DATA[4090:9090]


@pytest.mark.parametrize("offset", [0x1000, 0x1FFF, 0x13FFF, 0])
def test_overlapping_files(tmp_path: Path, offset: int) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(DATA)
    two.write_bytes(page(1))
    with pytest.raises(CorruptDump, match=r"overlaps that of .*one") as caught:
        open_dump(one, two, format="raw", offset=(0, offset))
    assert "\n" not in str(caught.value)


def test_as_many_offsets_as_files(tmp_path: Path) -> None:
    path = tmp_path / "pmem"
    path.write_bytes(DATA)
    for paths, offset in (((path, path), 0), ((path,), (0, 0)), ((path, path), [1])):
        with pytest.raises(TypeError, match="as many offsets"):
            open_dump(*paths, format="raw", offset=offset)
