# SPDX-License-Identifier: GPL-3.0-or-later
"""Triage: what it adds to the library's own work, how it scales, what it reads and keeps."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .measure import Figure

DUMPS = Path("lab/dumps")
GUEST = "ovmf-kaslr"
TIB = 1 << 40
_BLOCK = 4096
_WRITTEN = 1 << 15  # descriptors: more than are looked at to see that a file is whole


def triage_overhead() -> Iterator[Figure]:
    """CPU seconds, which other work on the machine leaves as they are."""
    ours, bare = _job("overhead")
    detail = f"60 dumps {ours:.2f} s of CPU, in a bare loop {bare:.2f} s"
    yield Figure("triage's work against the library's", detail, ours / bare, 1.1)


def triage_scaling() -> Iterator[Figure]:
    """One worker against as many as there are cores, both Dask's, in turn."""
    cores = len(os.sched_getaffinity(0))
    rates = [(_job("rate", cores)[0], _job("rate", 1)[0]) for _ in range(2)]
    many, one = max(many for many, _ in rates), max(one for _, one in rates)
    load = os.getloadavg()[0]
    detail = f"{many:.1f} dumps a second on {cores} cores, {one:.1f} on one; load {load:.1f}"
    yield Figure("triage's efficiency per core", detail, many / one / cores, 0.8, True)


def triage_reads() -> Iterator[Figure]:
    """Of a guest's dump as it is, and made 1 TiB large (sparse)."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix, widen, most in (("elf", widen_elf, 32), ("kdump", widen_kdump, 32)):
            small, large = (DUMPS / f"{GUEST}.{suffix}").resolve(), Path(folder) / f"tib.{suffix}"
            widen(small, large)
            for path, what in ((small, "512 MiB of RAM"), (large, "1 TiB")):
                size, requests = _job("cost", str(path))
                detail = f"{what}, in {requests:.0f} requests"
                yield Figure(f"MiB read of the {suffix}", detail, size / (1 << 20), most)


def triage_driver() -> Iterator[Figure]:
    """Peak memory of the driver, with rows that nothing had to be read for."""
    for what, workers, most in (("store and summary", 0, 100_000), ("and Dask", 2, 10_000)):
        few, many = (_job("driver_memory", n, workers)[0] / 1e6 for n in (1_000, most))
        detail = f"{what}: {many:.0f} MB for {most} rows, {few:.0f} MB for 1000"
        yield Figure("the driver's memory against a small run's", detail, many / few, 1.2)


def _job(*words: str | int) -> list[float]:
    command = [sys.executable, "-m", "bench.fleet_jobs", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [float(word) for word in done.stdout.split()]


def widen_elf(source: Path, target: Path) -> None:
    """Add a segment of untouched memory behind the others: a hole in the file."""
    shutil.copyfile(source, target)
    with target.open("r+b") as file:
        head = file.read(64)
        (at,), (count,) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<H", head, 56)
        file.seek(at)
        table = file.read(56 * count)
        end = -(-source.stat().st_size // _BLOCK) * _BLOCK
        place = end + _BLOCK
        more = struct.pack("<IIQQQQQQ", 1, 0, place, 0, 4 << 30, TIB, TIB, 0)
        file.seek(end)
        file.write(table + more)
        file.seek(32)
        file.write(struct.pack("<Q", end))
        file.seek(56)
        file.write(struct.pack("<H", count + 1))
        file.truncate(place + TIB)


def widen_kdump(source: Path, target: Path) -> None:
    """Add untouched memory from 4 GiB to 1 TiB: two bitmaps of 32 MiB, 6 GiB of descriptors.

    Of those only the last are written, as all would be; the others are a hole in the file.
    """
    with source.open("rb") as file:
        headers = bytearray(file.read(_BLOCK))
        sub_blocks, blocks = struct.unpack_from("<II", headers, 432)
        headers += file.read(sub_blocks * _BLOCK)
        bitmaps = [file.read(blocks * _BLOCK // 2) for _ in range(2)]
        count = sum(map(int.bit_count, bitmaps[1]))
        table, data = file.read(24 * count), file.read()
    pages, low = TIB // _BLOCK, (4 << 30) // _BLOCK
    begin, more = len(headers) + 2 * pages // 8, pages - low
    moved = 2 * pages // 8 - blocks * _BLOCK + 24 * more
    struct.pack_into("<II", headers, 436, 2 * (pages // 8) // _BLOCK, pages)
    struct.pack_into("<Q", headers, _BLOCK + 96, pages)
    zero = struct.pack("<QIIQ", begin + 24 * (count + more), _BLOCK, 0, 0)
    with target.open("wb") as out:
        out.write(headers)
        for bitmap in bitmaps:
            out.write(bitmap[: low // 8].ljust(low // 8, b"\0") + b"\xff" * (more // 8))
        descs = struct.iter_unpack("<QIIQ", table)
        out.writelines(struct.pack("<QIIQ", at + moved, *rest) for at, *rest in descs)
        out.seek(24 * (more - _WRITTEN), os.SEEK_CUR)
        out.write(zero * _WRITTEN + data)
