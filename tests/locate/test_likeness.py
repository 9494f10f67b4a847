# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pages of an image are looked at."""

from __future__ import annotations

import crashext.arch
from crashext.locate.context import Context
from crashext.locate.likeness import TEXT_LEAST, text_places
from crashext.locate.memory import PAGE_SIZE, PhysMemory

from .guest import Guest


def test_no_page_is_looked_at_twice() -> None:
    """The second time it would be like another and count against the image."""
    dump = Guest().dump()
    for arch in crashext.arch.ARCHITECTURES:
        context = Context(dump, PhysMemory(dump.read), arch)
        start = 0x2000000 + arch.dense_text
        for _ in range(500):
            places = text_places(context, 0x2000000)
            assert len(set(places)) == len(places)
            assert all(p in range(start, start + TEXT_LEAST, PAGE_SIZE) for p in places)
