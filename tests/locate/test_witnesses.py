# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a vCPU's program counter may be from an image's start and still be in its text."""

from __future__ import annotations

import pytest

from crashext.arch.ppc64le import Ppc64le
from crashext.arch.ppc64le.layout import PAGE_OFFSET
from crashext.locate.image.image import Image
from crashext.locate.image.witnesses import _MOST, _text_end
from crashext.symbols.runtime import KnownSymbols

ETEXT, TABLE = PAGE_OFFSET + 0xDD0000, PAGE_OFFSET + 0x2740000
BEFORE = PAGE_OFFSET + 0x4000


@pytest.mark.parametrize(
    ("symbols", "end"),
    [
        ({"_etext": ETEXT, "swapper_pg_dir": TABLE}, ETEXT),
        ({"swapper_pg_dir": TABLE}, TABLE),
        ({"swapper_pg_dir": BEFORE}, PAGE_OFFSET + 0x8000 + _MOST),
        ({}, PAGE_OFFSET + 0x8000 + _MOST),
    ],
)
def test_another_images_text_is_behind_it(symbols: dict[str, int], end: int) -> None:
    image = Image(Ppc64le(), PAGE_OFFSET)
    image.symbols = KnownSymbols(symbols, "VMCOREINFO")
    assert _text_end(image, PAGE_OFFSET + 0x8000) == end
