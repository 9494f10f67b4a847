# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels' code, told by samples of memory."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from crashext.arch.aarch64 import AArch64
from crashext.dumps.base import Range
from crashext.locate import kernel_code
from crashext.locate.memory import PhysMemory

if TYPE_CHECKING:
    from crashext.locate.context import Context

MIB, GIB = 1 << 20, 1 << 30
MRS = struct.pack("<I", 0xD5384113)  # mrs x19, sp_el0


def context(stored: Sequence[Range], texts: Sequence[range]) -> Context:
    """RAM of zeros, but for ``texts``, which have such an instruction every 512 bytes."""

    def read(paddr: int, size: int) -> bytes:
        parts = (
            MRS.ljust(512, b"\0") if any(at in text for text in texts) else bytes(512)
            for at in range(paddr, paddr + size, 512)
        )
        return b"".join(parts)

    facts = SimpleNamespace(
        dump=SimpleNamespace(stored=tuple(stored)), memory=PhysMemory(read), sparing=None,
        arch=AArch64(),
    )  # fmt: skip
    return cast("Context", facts)


def test_each_text_is_found_once_and_whole() -> None:
    texts = [range(GIB + 3 * MIB // 2, GIB + 4 * MIB), range(GIB + 100 * MIB, GIB + 115 * MIB)]
    modules = range(GIB + 60 * MIB, GIB + 60 * MIB + 300_000)
    found = list(kernel_code.texts(context([Range(GIB, 2 * GIB)], [*texts, modules])))
    assert len(found) == 2
    for text, part in zip(texts, found, strict=True):
        assert text.start - MIB <= part.start <= text.start and text.stop <= part.end
        assert part.end <= text.stop + MIB


def test_samples_are_bounded_whatever_a_dump_says() -> None:
    whole = [Range(0, 1 << 60), Range(1 << 61, 1 << 62)]
    places, step = kernel_code._places(whole)
    places = list(places)
    assert len(places) == kernel_code.MOST_SAMPLES and step == 8 * MIB
    assert places == sorted(places) and places[0] == 0 and places[-1] == (1 << 62) - step


@pytest.mark.parametrize(("size", "step"), [(16 * GIB, MIB), (17 * GIB, 2 * MIB)])
def test_samples_lie_closer_in_small_guests(size: int, step: int) -> None:
    places, distance = kernel_code._places([Range(0, size)])
    assert distance == step and list(places) == [*range(0, size, step)]
