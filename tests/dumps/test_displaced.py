# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that QEMU laid out otherwise than it wrote them."""

from __future__ import annotations

import pytest

from .conftest import Opener, page
from .writers.elf_writer import Elf, Load
from .writers.kdump_writer import Kdump
from .writers.notes import note

RAM = b"".join(page(n) for n in range(1, 9))
AARCH64 = 183
PVTIME, BLOCK = 0x90A, 65536


def sve_notes(*sizes: int) -> bytes:
    """The notes of one vCPU for each size of its SVE registers."""
    return b"".join(
        note(b"CORE", 1, bytes([cpu + 1]) * 392) + note(b"LINUX", 0x405, bytes([0x55]) * size)
        for cpu, size in enumerate(sizes)
    )


def displaced(reckoned: bytes, written: bytes) -> bytes:
    """A file laid out for notes of one length and written with others."""
    whole = Elf([Load(0x40000000, RAM)], machine=AARCH64, notes=reckoned, sections=False).write()
    start = whole.index(reckoned)
    return whole[:start] + written + whole[start + len(reckoned) :]


@pytest.mark.parametrize("sizes", [(2224, 592, 592), (592, 2224), (2224, 2224, 592)])
def test_memory_follows_the_notes_as_written(opened: Opener, sizes: tuple[int, ...]) -> None:
    reckoned, written = sve_notes(*sizes[:1] * len(sizes)), sve_notes(*sizes)
    with opened(displaced(reckoned, written)) as dump:
        assert [len(n.desc) for n in dump.notes if n.name == "LINUX"] == list(sizes)
        assert dump.read(0x40000000, len(RAM)) == RAM
        assert dump.complete
        (warning,) = dump.warnings
        assert f"{abs(len(reckoned) - len(written))} bytes" in warning
        assert ("before" if len(written) < len(reckoned) else "behind") in warning


def test_a_file_cut_off_is_not_displaced(opened: Opener) -> None:
    notes = sve_notes(2224, 2224)
    whole = displaced(notes, notes)
    for lost in (1, 592, len(notes) // 2, len(notes) // 2 + 4):
        with opened(whole[:-lost]) as dump:
            assert not dump.complete
            assert dump.read(0x40000000, 4096) == RAM[:4096]


def test_memory_that_looks_like_notes_moves_nothing(opened: Opener) -> None:
    """The end of the file has to agree with the notes, to the byte."""
    notes, forged = sve_notes(592), sve_notes(592, 592)
    memory = forged + RAM
    spec = Elf([Load(0x40000000, memory)], machine=AARCH64, notes=notes, sections=False)
    with opened(spec.write()) as dump:
        assert not dump.warnings
        assert dump.read(0x40000000, len(memory)) == memory


def test_ram_that_a_kdump_lacks_is_named(opened: Opener) -> None:
    notes = note(b"CORE", 1, bytes([1]) * 392)
    spec = Kdump({PVTIME: bytes([7]) * BLOCK}, block_size=BLOCK, notes=notes, machine=b"Unknown",
                 max_mapnr=0x1C000)  # fmt: skip
    with opened(spec.write()) as dump:
        assert not dump.complete
        assert dump.lacks and "up to 0x1c0000000" in dump.lacks and "8a64609eea" in dump.lacks
        assert any(dump.lacks in warning for warning in dump.warnings)
    spec.sysname = b"Linux"  # makedumpfile's
    with opened(spec.write()) as dump:
        assert dump.lacks is None


def test_marks_inside_large_blocks(opened: Opener) -> None:
    block = bytearray(bytes([7]) * BLOCK)
    block[0x5018:0x501C] = b"MARK"
    spec = Kdump({3: bytes([9]) * BLOCK, 4: bytes(block)}, block_size=BLOCK, machine=b"Unknown")
    with opened(spec.write()) as dump:
        assert list(dump.pages_with(((24, b"MARK"),))) == [0x45000]
        assert list(dump.places(BLOCK, 0x5018, b"MARK")) == [0x40000]
        assert list(dump.places(BLOCK, 0x15018, b"MARK")) == [0x30000]
        assert list(dump.places(4096, 24, b"MARK")) == [0x45000]


def test_places_in_an_elf(opened: Opener) -> None:
    memory = bytearray(4 << 20)
    memory[0x30100:0x30104] = memory[0x200100:0x200104] = b"MARK"
    with opened(Elf([Load(0x40000000, bytes(memory))]).write()) as dump:
        assert list(dump.places(0x10000, 0x100, b"MARK")) == [0x40030000, 0x40200000]
        assert list(dump.places(0x200000, 0x100, b"MARK")) == [0x40200000]
        assert list(dump.places(0x10000, 0x20100, b"MARK")) == [0x40010000, 0x401E0000]
        assert list(dump.places(0x10000, 0x50000000, b"MARK")) == []
