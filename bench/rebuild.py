# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vmlinux made from the dump costs, against crash on the debug vmlinux."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .measure import QEMUFIX, Cost, Figure, best, crash_script, run

DUMPS = Path("lab/dumps")
GUEST = "ovmf-kaslr"
_TIMES = 3


def _dump() -> str:
    return str(DUMPS / f"{GUEST}.kdump")


def _debug() -> str:
    facts = json.loads((DUMPS / f"{GUEST}.json").read_text())
    return str(DUMPS / facts["vmlinux"])


def _making(out: Path) -> list[str]:
    return [*QEMUFIX, "vmlinux", _dump(), "-o", str(out)]


def _prompt(vmlinux: str, folder: Path) -> Cost:
    """crash to its prompt, and out."""
    script = crash_script(folder)
    return best(["crash", "-s", "-i", str(script), vmlinux, _dump()], _TIMES)


def made_vmlinux() -> Iterator[Figure]:
    """Making it, crash's start on it, and its memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = folder / "vmlinux"
        making = best(_making(made), _TIMES)
        debug, ours = _prompt(_debug(), folder), _prompt(str(made), folder)
    detail = f"{making}, crash comes up on the debug vmlinux in {debug}"
    yield Figure("making a vmlinux, time against crash's start", detail,
                 making.wall / debug.wall, 0.25)  # fmt: skip
    detail = f"{ours}, on the debug vmlinux {debug}"
    yield Figure("crash to its prompt, time against the debug vmlinux's", detail,
                 ours.wall / debug.wall, 0.25)  # fmt: skip
    yield Figure("making a vmlinux, peak memory in MB", GUEST, making.rss / 1e6, 250)
    detail = f"{ours.rss / 1e6:.0f} MB, on the debug vmlinux {debug.rss / 1e6:.0f} MB"
    yield Figure("crash's memory against the debug vmlinux's", detail, ours.rss / debug.rss, 1)


def from_nothing() -> Iterator[Figure]:
    """``qemufix crash DUMP`` with an empty cache, to crash's prompt and out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = crash_script(folder)
        debug = _prompt(_debug(), folder)
        ours = min(_opened(folder / str(number), script) for number in range(_TIMES))
    detail = f"{ours}, crash on the debug vmlinux {debug}"
    yield Figure("qemufix crash DUMP from nothing, time against crash's", detail,
                 ours.wall / debug.wall, 1)  # fmt: skip


def _opened(cache: Path, script: Path) -> Cost:
    with _cache(cache):
        return run([*QEMUFIX, "crash", _dump(), "-s", "-i", str(script)])


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    """An empty cache for what is run meanwhile."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        del os.environ["XDG_CACHE_HOME"]
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
