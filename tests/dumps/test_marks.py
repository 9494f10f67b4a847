# SPDX-License-Identifier: GPL-3.0-or-later
"""Searching all pages for marks finds just what looking at every page finds."""

from __future__ import annotations

from pathlib import Path

import pytest

import crashext
from crashext.dumps.base import Dump
from crashext.dumps.marks import in_chunk, pattern, spread

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
MARKS = ((0, b"OSRELEASE="), (24, b"OSRELEASE="))


@pytest.mark.parametrize("name", ["ovmf-kaslr.elf", "ovmf-kaslr.flat", "ovmf-kaslr.kdump"])
def test_the_fast_search_equals_the_plain_one(name: str) -> None:
    with crashext.open_dump(str(SAMPLES / name)) as dump:
        fast = list(dump.pages_with(MARKS, stored=range(450, 2400)))
        plain = list(Dump.pages_with(dump, MARKS))
    assert fast == plain
    assert fast


def test_in_chunk_finds_marks_at_their_offsets_only() -> None:
    chunk = bytearray(16 * 4096)
    chunk[4096:4106] = b"OSRELEASE="
    chunk[8192 + 24 : 8192 + 34] = b"OSRELEASE="
    chunk[12288 + 5 : 12288 + 15] = b"OSRELEASE="
    assert in_chunk(bytes(chunk), 4096, MARKS) == [4096, 8192]


def test_pattern_wants_the_mark_at_its_offset() -> None:
    wanted = pattern(MARKS)
    assert wanted.match(b"OSRELEASE=6.1")
    assert wanted.match(b"\n" * 24 + b"OSRELEASE=")
    assert not wanted.match(b"xOSRELEASE=")


def test_spread_keeps_the_order() -> None:
    assert list(spread(lambda n: n * n, range(100))) == [n * n for n in range(100)]
