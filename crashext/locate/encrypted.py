# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling encrypted guest memory from memory that merely holds no kernel."""

from __future__ import annotations

import zlib

from .context import Context
from .memory import PAGE_SIZE

_SAMPLES = 64
_ENOUGH = 16
#: Ciphertext does not compress; code, data and text do.
_RANDOM = PAGE_SIZE * 99 // 100


def looks_encrypted(context: Context) -> bool:
    """True when pages from all over RAM are all of high entropy, zero pages included.

    From outside QEMU sees the ciphertext of an SEV guest, of untouched pages too.
    """
    samples = [context.memory.get(paddr, PAGE_SIZE) for paddr in _places(context)]
    pages = [page for page in samples if page is not None]
    random = sum(len(zlib.compress(page, 1)) > _RANDOM for page in pages)
    return len(pages) >= _ENOUGH and random >= len(pages) * 9 // 10


def _places(context: Context) -> list[int]:
    """Page addresses spread evenly over RAM."""
    total = context.dump.ram_bytes
    places: list[int] = []
    done = 0
    step = max(total // _SAMPLES, PAGE_SIZE)
    for ram in context.dump.ram:
        first = -done % step
        places += range(ram.start + first, ram.end - PAGE_SIZE + 1, step)
        done += ram.size
    return [place & ~(PAGE_SIZE - 1) for place in places[: _SAMPLES * 2]]
