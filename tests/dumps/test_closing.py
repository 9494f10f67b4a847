# SPDX-License-Identifier: GPL-3.0-or-later
"""A closed dump reads nothing, and while it is being closed nothing of another file."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from crashext import CrashExtError, UnreadableDump, open_dump

from .conftest import Opener, page
from .test_wrapped import xz_blocks
from .writers.elf_writer import Elf, Load
from .writers.flat_writer import flatten, records
from .writers.kdump_writer import Kdump
from .writers.qevm_writer import Qevm

PAGES = {n: page(n) for n in range(40)} | {40: bytes(4096)}
ELF = Elf([Load(0, b"".join(PAGES.values()))]).write()
KDUMP = Kdump(PAGES).write()
IMAGES = {
    "elf": ELF, "kdump": KDUMP, "flattened": flatten(records(KDUMP)), "xz": xz_blocks(ELF),
    "qevm": Qevm([{"pc.ram": PAGES}], {"pc.ram": 64 * 4096}).write(), "gz": gzip.compress(ELF),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_a_closed_dump_reads_nothing(
    opened: Opener, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dump = opened(IMAGES[name])
    for pfn in (1, 40):
        assert dump.read(pfn * 4096, 4096) == PAGES[pfn]
    dump.close()
    dump.close()
    for pfn in (1, 2, 40):
        with pytest.raises(UnreadableDump, match="closed"):
            dump.read(pfn * 4096, 4096)


@pytest.mark.parametrize("name", ["elf", "kdump"])
def test_closing_while_others_read(opened: Opener, name: str, tmp_path: Path) -> None:
    """The descriptor's number goes to another file at once: nobody reads from that."""
    other = tmp_path / "other"
    other.write_bytes(b"\xee" * len(ELF))
    wrong: list[bytes] = []

    def read(reader: Callable[[int, int], bytes], stop: threading.Event) -> None:
        while not stop.is_set():
            for pfn in range(40):
                try:
                    data = reader(pfn * 4096, 4096)
                except CrashExtError:
                    return
                if data != PAGES[pfn]:
                    wrong.append(data)

    for _ in range(40):
        dump, stop = opened(IMAGES[name]), threading.Event()
        threads = [threading.Thread(target=read, args=(dump.read, stop)) for _ in range(3)]
        for thread in threads:
            thread.start()
        dump.close()
        reused = [os.open(other, os.O_RDONLY) for _ in range(3)]
        stop.set()
        for thread in threads:
            thread.join()
        for fd in reused:
            os.close(fd)
    assert wrong == []


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(KDUMP)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with open_dump(path):
            pass
        path.write_bytes(KDUMP[:300])
        with pytest.raises(CrashExtError):
            open_dump(path)
        path.write_bytes(KDUMP)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_read_that_has_begun_keeps_the_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing in the middle of a read: the number is not free before that read is done."""
    path = tmp_path / "elf"
    path.write_bytes(ELF)
    dump = open_dump(path)
    real = os.pread

    def pread(fd: int, size: int, offset: int) -> bytes:
        dump.close()
        reused = os.open(os.devnull, os.O_RDONLY)
        os.close(reused)
        assert reused != int(fd)
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert dump.read(4096, 4096) == PAGES[1]
