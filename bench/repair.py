# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repair costs: in place whatever the size of the dump, a new file as much as its copy."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .measure import QEMUFIX, Figure, best, run

DUMPS = Path("lab/dumps")
SMALL, LARGE = "ovmf-kaslr", "ram-64g"
_TIMES = 5


class InPlace(NamedTuple):
    """The quickest of several repairs: seconds of the whole command, and bytes written."""

    seconds: float
    written: int


def repair_in_place() -> Iterator[Figure]:
    """A large guest's dump against a small one's; what was written is on disk at the end."""
    if not (DUMPS / f"{LARGE}.kdump").exists():
        return
    with tempfile.TemporaryDirectory(dir=DUMPS.parent) as folder:
        small, large = (_in_place(guest, Path(folder)) for guest in (SMALL, LARGE))
    detail = f"{LARGE} {large.seconds:.3f} s, 512 MiB {small.seconds:.3f} s"
    yield Figure("repair in place, time against a small guest's", detail,
                 large.seconds / small.seconds, 1.2)  # fmt: skip
    detail = f"{LARGE} {large.written} bytes, 512 MiB {small.written}"
    yield Figure("repair in place, bytes written against a small guest's", detail,
                 large.written / small.written, 1.2)  # fmt: skip


def repair_new_file() -> Iterator[Figure]:
    """The copying part of ``repair -o``, synced, against ``cp`` and ``sync``."""
    guest = LARGE if (DUMPS / f"{LARGE}.kdump").exists() else SMALL
    dump = str(DUMPS / f"{guest}.kdump")
    with tempfile.TemporaryDirectory(dir=DUMPS.parent) as folder:
        out = str(Path(folder) / "out")
        copy = f"rm -f '{out}'; cp --reflink=never '{dump}' '{out}' && sync '{out}'"
        theirs = best(["sh", "-c", copy], 3).wall
        planned = best(_repair(guest, dump, "--dry-run"), 3).wall
        whole = min(_fresh(guest, dump, Path(out)) for _ in range(3))
    ours = whole - planned
    detail = f"{guest} {ours:.3f} s (with the search {whole:.3f} s), cp and sync {theirs:.3f} s"
    yield Figure("repair into a new file, times cp's speed", detail, theirs / ours, 0.8, True)


def _in_place(guest: str, folder: Path) -> InPlace:
    copy = folder / f"{guest}.kdump"
    subprocess.run(["cp", "--reflink=auto", DUMPS / copy.name, copy], check=True)
    subprocess.run(["sync", copy], check=True)
    found: list[InPlace] = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        done = subprocess.run(
            _repair(guest, str(copy), "--in-place", "--json"), capture_output=True, check=True
        )
        seconds = time.perf_counter() - started
        found.append(InPlace(seconds, json.loads(done.stdout)["bytes_written"]))
        run([*QEMUFIX, "repair", str(copy), "--undo"])
    copy.unlink()
    return min(found)


def _fresh(guest: str, dump: str, out: Path) -> float:
    out.unlink(missing_ok=True)
    return run(_repair(guest, dump, "-o", str(out))).wall


def _repair(guest: str, dump: str, *options: str) -> Sequence[str]:
    facts = json.loads((DUMPS / f"{guest}.json").read_text())
    return [*QEMUFIX, "repair", dump, "--vmlinux", str(DUMPS / facts["vmlinux"]), *options]
