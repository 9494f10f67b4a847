# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump tells of its memory before any of it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crashext import Dump, ExcludedPage, TruncatedPage, open_dump
from crashext.dumps.base import Stretch

from .conftest import Opener, page
from .writers.elf_writer import Elf, Load
from .writers.flat_writer import flatten
from .writers.kdump_writer import Kdump

MIB = 1 << 20


def assert_covers(dump: Dump) -> list[Stretch]:
    """The stretches are all of ``ram`` and true; joined where they touch."""
    stretches = list(dump.stretches())
    at = iter(stretches)
    for start, end in dump.ram:
        while start < end:
            stretch = next(at)
            assert stretch.start == start < stretch.end <= end
            start = stretch.end  # noqa: PLW2901
    assert next(at, None) is None
    for start, end, kind in stretches:
        for paddr in {*range(start, end, 1 << 16), end - 1}:
            if kind == "excluded":
                with pytest.raises(ExcludedPage):
                    dump.read(paddr, 1)
            elif kind == "zero":
                assert dump.read(paddr, 1) == b"\0"
    return stretches


def test_holes_of_an_elf_are_zeros_and_lacking_bytes_left_out(tmp_path: Path) -> None:
    loads = [Load(0x1000, b"a" * 0x3000), Load(MIB, b"b" * 0x2000, memsz=0x8000),
             Load(2 * MIB, bytes(8 * MIB) + b"end")]  # fmt: skip
    image = Elf(loads).write()
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(image[: -8 * MIB - 3])
        file.seek(len(image) - 3)
        file.write(b"end")
        os.fsync(file.fileno())
    with open_dump(path) as dump:
        stretches = assert_covers(dump)
    assert Stretch(MIB + 0x2000, MIB + 0x8000, "excluded") in stretches
    assert [s.kind for s in stretches if s.start >= 2 * MIB] == ["stored", "zero", "stored"]
    zero = next(s for s in stretches if s.kind == "zero")
    assert zero.end - zero.start > 7 * MIB and zero.start % 4096 == zero.end % 4096 == 0


def test_what_is_cut_off_is_for_reading_to_tell(opened: Opener) -> None:
    image = Elf([Load(0, b"a" * MIB), Load(4 * MIB, b"b" * MIB)]).write()
    with opened(image[: -MIB // 2]) as dump:
        assert [s.kind for s in assert_covers(dump)] == ["stored", "stored"]
        with pytest.raises(TruncatedPage):
            dump.read(5 * MIB - 1, 1)


def test_kdump_tells_long_runs_of_its_page_of_zeros(opened: Opener) -> None:
    held = {n: page(n) for n in (0, 1, 2, 5000, 9000)}
    held |= {n: bytes(4096) for n in range(3, 4000)}
    excluded = frozenset({*range(4000, 5000), 9001})
    image = Kdump(held, excluded=excluded).write()
    for made in (image, flatten([(0, image)])):
        with opened(made) as dump:
            stretches = assert_covers(dump)
            zeros = sum(s.end - s.start for s in stretches if s.kind == "zero")
            assert 3500 * 4096 < zeros <= 3997 * 4096
            assert [s for s in stretches if s.kind == "excluded"] == [
                Stretch(4000 * 4096, 5000 * 4096, "excluded"),
                Stretch(9001 * 4096, 9002 * 4096, "excluded"),
            ]


def test_pages_dumped_that_do_not_exist_are_not_told(opened: Opener) -> None:
    image = bytearray(Kdump({n: page(n) for n in range(64)}, excluded=frozenset([70])).write())
    with opened(bytes(image)) as dump:
        first = dump.header.bitmap_offset
    image[first + 2] = 0b11100111
    with opened(bytes(image)) as dump:
        assert [r.start // 4096 for r in dump.ram] == [0, 21, 70]
        assert [s.kind for s in assert_covers(dump)] == ["stored", "stored", "excluded"]


def test_a_raw_file_is_all_there(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    with path.open("wb") as file:
        file.write(b"x" * 5000)
        file.truncate(4 * MIB)
        os.fsync(file.fileno())
    with open_dump(path, format="raw", offset=MIB) as dump:
        stretches = assert_covers(dump)
    assert stretches == [Stretch(MIB, MIB + 8192, "stored"), Stretch(MIB + 8192, 5 * MIB, "zero")]
