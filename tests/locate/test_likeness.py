# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pages of an image are looked at."""

from __future__ import annotations

from random import Random

import crashext.arch
from crashext.locate.context import Context
from crashext.locate.likeness import TEXT_LEAST, filled, is_hollow, text_places
from crashext.locate.memory import PAGE_SIZE, PhysMemory

from .guest import Guest


def context_of(guest: Guest, name: str) -> Context:
    dump, arch = guest.dump(), crashext.arch.architecture_of(name)
    assert arch is not None
    return Context(dump, PhysMemory(dump.read), arch)


def test_no_page_is_looked_at_twice() -> None:
    """The second time it would be like another and count against the image."""
    dump = Guest().dump()
    for arch in crashext.arch.ARCHITECTURES:
        context = Context(dump, PhysMemory(dump.read), arch)
        start = 0x2000000 + arch.dense_text[-1]
        for _ in range(500):
            places = text_places(context, 0x2000000)
            assert len(set(places)) == len(places)
            assert all(p in range(start, start + TEXT_LEAST, PAGE_SIZE) for p in places)


def test_entry_code_with_padding_behind_it_is_a_kernel_s_start() -> None:
    """x86_64 since 7.x: a few pages, then nothing up to the next large page."""
    guest, chance, start = Guest(), Random(2), 0x2000000
    code = (
        range(start, start + 0x3000, PAGE_SIZE),
        range(start + (2 << 20), start + (3 << 20), PAGE_SIZE),
    )
    for place in (place for pages in code for place in pages):
        guest.write(place, chance.randbytes(PAGE_SIZE))
    context = context_of(guest, "x86_64")
    for _ in range(100):
        assert filled(context, text_places(context, start)).held
        assert not is_hollow(context, start)
        assert is_hollow(context, start + (4 << 20))


def test_the_freed_head_of_an_arm64_image_counts_for_nothing() -> None:
    """The 64 KiB before .text go back to the kernel's allocator: here nothing is left there."""
    guest, chance, start = Guest(), Random(1), 0x2000000
    for place in range(start + (64 << 10), start + (1 << 20), PAGE_SIZE):
        guest.write(place, chance.randbytes(PAGE_SIZE))
    context = context_of(guest, "aarch64")
    for _ in range(500):
        assert filled(context, text_places(context, start)).held
        assert not is_hollow(context, start)
