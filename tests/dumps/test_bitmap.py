# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from crashext.dumps import bitmap
from crashext.dumps.bitmap import Bitmap


def naive_runs(frames: list[int]) -> list[tuple[int, int]]:
    groups = (
        [pfn for _, pfn in group]
        for _, group in groupby(enumerate(frames), key=lambda pair: pair[1] - pair[0])
    )
    return [(group[0], group[-1] + 1) for group in groups]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([b"\0" * 300, b"\xff" * 300, b"\x01", b"\x80", b"\x5a"]), max_size=9),
    st.integers(0, 9),
)
def test_against_plain_bits(parts: list[bytes], spare: int) -> None:
    data = b"".join(parts)
    nbits = max(len(data) * 8 - spare, 0)
    frames = [n for n in range(nbits) if data[n // 8] >> n % 8 & 1]
    bits = Bitmap(data, nbits)
    assert len(bits) == len(frames)
    assert list(bits.runs()) == naive_runs(frames)
    assert all(bits.rank(pfn) == index for index, pfn in enumerate(frames))
    assert all((n in bits) == (n in set(frames)) for n in (0, 1, 7, 8, nbits - 1, nbits, 1 << 66))


def test_runs_across_the_chunks_of_big_bitmaps() -> None:
    chunk = bitmap._CHUNK
    data = bytes(chunk - 1) + b"\x80\x01" + bytes(chunk - 2) + b"\xff" * 20
    assert list(Bitmap(data, len(data) * 8).runs()) == [
        (chunk * 8 - 1, chunk * 8 + 1),
        ((2 * chunk - 1) * 8, (2 * chunk + 19) * 8),
    ]


def test_ranks_of_big_bitmaps() -> None:
    data = b"\x11" * (3 << 18)
    bits = Bitmap(data, len(data) * 8)
    assert len(bits) == 2 * len(data)
    for byte in (0, 1, 63, 64, 1023, 1024, 4097, len(data) - 1):
        assert bits.rank(byte * 8 + 5) == 2 * byte + 2
