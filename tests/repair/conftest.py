# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of real dumps, opened and planned for a repair."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from crashext.dumps import open_dump, open_source
from crashext.dumps.base import Dump
from crashext.dumps.source import FileSource
from crashext.errors import CorruptDump, MissingMemory
from crashext.locate import finding
from crashext.repair.overlay import Overlay, Patch
from crashext.repair.plan import Plan, plan_repair

SAMPLES = Path(__file__).parents[2] / "sample_dumps"


@pytest.fixture(autouse=True)
def no_other_tests_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle threads that a library has left in this process, as fsspec does, are not the test's."""
    others = set(threading.enumerate()) - {threading.current_thread()}
    monkeypatch.setattr(threading, "active_count", lambda: len(set(threading.enumerate()) - others))


def vmlinux_of(sample: Path) -> str | None:
    """The vmlinux that a sample's truth names."""
    name = json.loads(sample.with_suffix(".json").read_text()).get("vmlinux")
    return None if name is None else str(sample.parent / name)


@contextmanager
def planned(sample: Path, *, vmlinux: bool = True) -> Iterator[Plan]:
    """The plan for a sample."""
    given = vmlinux_of(sample) if vmlinux else None
    with open_dump(sample) as dump, finding(dump, vmlinux=given) as found:
        yield plan_repair(found)


@contextmanager
def planned_over(sample: Path, patches: Sequence[Patch]) -> Iterator[Plan]:
    """The plan for a sample whose file has ``patches`` over it."""
    dump = open_source(Overlay(FileSource(str(sample)), patches))
    with dump, finding(dump, vmlinux=vmlinux_of(sample)) as found:
        yield plan_repair(found)


def memory(dump: Dump) -> Iterator[tuple[int, bytes]]:
    """Every page of a dump that can be read."""
    for stored in dump.stored:
        for paddr in range(stored.start, stored.end, 4096):
            try:
                yield paddr, dump.read(paddr, min(4096, stored.end - paddr))
            except (MissingMemory, CorruptDump):
                continue
