# SPDX-License-Identifier: GPL-3.0-or-later
"""The speed of writing dumps anew, against makedumpfile and cp."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crashext.repair.write.workers import cores

from .measure import Cost, Figure, best, run

ELF = Path("lab/dumps/ovmf-vmcoreinfo.elf")
LARGE = Path("lab/dumps/ram-64g.kdump")
OPTIONS = {"zlib": "-c", "lzo": "-l", "snappy": "-p", "zstd": "-z"}
QUIET = ("--message-level", "4")  # errors alone, no progress
TIMES = 3
MOST_MEMORY = 150  # MB in each process


def ours(job: str, source: Path, out: Path, *more: str) -> list[str]:
    """The command line of a job."""
    return [sys.executable, "-m", "bench.convert_jobs", job, str(source), str(out), *more]


def converting() -> Iterator[Figure]:
    """An ELF core and a kdump compressed in each way that this makedumpfile has."""
    if not shutil.which("makedumpfile"):
        print("skipped: conversions against makedumpfile's (apt install makedumpfile)")
        return
    with tempfile.TemporaryDirectory() as folder:
        # makedumpfile can't read the ELF cores of QEMU 7.2 to 11: the headers are elsewhere.
        elf, kdump = Path(folder) / "elf", Path(folder) / "kdump"
        run(ours("elf", ELF, elf))
        run(["makedumpfile", "-c", "-d", "1", *QUIET, str(elf), str(kdump)])
        for source in (elf, kdump):
            for name in _compressions():
                yield _against_makedumpfile(source, name, Path(folder) / "out")


def _compressions() -> list[str]:
    told = subprocess.run(["makedumpfile", "-v"], capture_output=True, text=True, check=False)
    return [name for name in OPTIONS if name == "zlib" or f"{name}\tenabled" in told.stdout]


def _against_makedumpfile(source: Path, name: str, out: Path) -> Figure:
    """With as many threads as there are cores, and with one: which is faster differs."""
    count, option = str(cores()), OPTIONS[name]
    words = ["makedumpfile", option, "-d", "1", *QUIET, str(source), str(out)]
    mine = _best(ours(name, source, out, count), out)
    many = _best([*words[:2], "--num-threads", count, *words[2:]], out, 1)
    one = _best(words, out)
    detail = (
        f"{source.name} to {name} {mine}, makedumpfile {option} {one}, with --num-threads "
        f"{count} {many}; CPU {mine.cpu:.2f} s and {one.cpu:.2f} s"
    )
    theirs = min(one.wall, many.wall)
    return Figure("conversion, times makedumpfile's speed", detail, theirs / mine.wall, 1, True)


def _best(command: list[str], out: Path, times: int = TIMES) -> Cost:
    """The quickest of several runs, each to a new file."""
    costs = []
    for _ in range(times):
        out.unlink(missing_ok=True)
        costs.append(run(command))
    return min(costs)


def copies() -> Iterator[Figure]:
    """A flattened dump made plain, and a copy without conversion."""
    source = LARGE if LARGE.exists() else ELF.with_suffix(".kdump")
    with tempfile.TemporaryDirectory() as folder:
        flat, out = Path(folder) / "flat", Path(folder) / "out"
        run(ours("flat", source, flat))
        mine = _best(ours("plain", flat, out), out)
        if shutil.which("makedumpfile"):
            theirs = _best(["sh", "-c", f"makedumpfile -R {out} <{flat}"], out)
            detail = f"{source.name} {mine}, makedumpfile -R {theirs}"
            yield Figure("flattened made plain, times makedumpfile's speed", detail,
                         theirs.wall / mine.wall, 1, True)  # fmt: skip
        for path in (source, ELF):
            mine = _best(ours("copy", path, out), out)
            cp = _best(["cp", "--reflink=never", str(path), str(out)], out)
            start = best([sys.executable, "-c", "import bench.convert_jobs"], TIMES)
            detail = f"{path.name} {mine}, of which Python's start {start}, cp {cp}"
            yield Figure("copy, times cp's speed", detail, cp.wall / (mine.wall - start.wall),
                         0.8, True)  # fmt: skip


def written_memory() -> Iterator[Figure]:
    """The peak of the largest process, from 512 MiB and from 64 GiB of RAM."""
    sources = [p for p in (ELF.with_suffix(".kdump"), LARGE) if p.exists()]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        peaks = [_best(ours("lzo", path, out, "2"), out, 1).rss / 1e6 for path in sources]
    detail = ", ".join(f"{p.stem} {peak:.0f}" for p, peak in zip(sources, peaks, strict=True))
    yield Figure("peak memory of a process that writes, MB", detail, max(peaks), MOST_MEMORY)
