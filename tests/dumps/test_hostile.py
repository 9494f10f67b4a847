# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps cut off and with bytes changed: our own errors only, little memory, no wrong page."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crashext import CrashExtError, Dump, open_dump

from .conftest import page
from .writers.elf_writer import Elf, Load
from .writers.flat_writer import flatten, records
from .writers.kdump_writer import Kdump
from .writers.notes import note, qemu_notes

PAGES = {pfn: page(pfn) for pfn in (0, 1, 2, 7, 300)} | {5: bytes(4096)}
NOTES = qemu_notes(1) + note(b"VMCOREINFO", 0, b"OSRELEASE=6.1\n")
IMAGES = {
    f"kdump-{codec}": Kdump(PAGES, frozenset({9}), codec=codec, notes=NOTES).write()
    for codec in ("none", "zlib", "lzo", "snappy", "zstd")
} | {
    "kdump-32": Kdump(PAGES, bits=32, order="big", notes=qemu_notes(1, order="big")).write(),
    "flattened": flatten(records(Kdump(PAGES, notes=NOTES).write(), 3000)),
    "elf": Elf([Load(n * 4096, data) for n, data in PAGES.items()], notes=NOTES).write(),
    "elf-32": Elf([Load(n * 4096, d) for n, d in PAGES.items()], 32, "big", 40).write(),
}
MOST_MEMORY, MOST_SECONDS = 8 << 20, 1.0


def use(path: Path) -> dict[int, bytes]:
    """Do all that a reader does; return the pages that could be read."""
    found = {}
    with open_dump(path) as dump:
        assert isinstance(dump, Dump)
        for paddr in (*(pfn * 4096 for pfn in PAGES), dump.ram[-1].end - 1 if dump.ram else 0):
            with suppress(CrashExtError):
                found[paddr] = dump.read(paddr, 4096)
        with suppress(CrashExtError):
            dump.read(4000, 9000)
        for count, (paddr, head) in enumerate(dump.page_heads(32)):
            assert len(head) == 32 and (paddr not in found or found[paddr].startswith(head))
            if count > 10000:
                break
    return found


@pytest.mark.parametrize("name", IMAGES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_cut_anywhere(name: str, data: st.DataObject, tmp_path: Path) -> None:
    image = IMAGES[name]
    length = data.draw(st.integers(0, len(image) - 1))
    path = tmp_path / "cut"
    path.write_bytes(image[:length])
    with suppress(CrashExtError):
        for paddr, got in use(path).items():
            assert got == PAGES[paddr // 4096]


@pytest.mark.parametrize("name", IMAGES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_flipped_anywhere(name: str, data: st.DataObject, tmp_path: Path) -> None:
    image = bytearray(IMAGES[name])
    # Half of the flips go where the headers are.
    places = st.integers(0, len(image) - 1) | st.integers(0, min(len(image), 600) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(places)] = data.draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
    path = tmp_path / "flipped"
    path.write_bytes(image)
    tracemalloc.start()
    started = process_time()
    try:
        with suppress(CrashExtError):
            use(path)
        assert process_time() - started < MOST_SECONDS
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
