# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages to be looked at: of guests that write what they like, and of very large ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crashext.detect import detect
from crashext.dumps import open_dump
from crashext.dumps.base import Dump, Range
from crashext.dumps.tally import Tally
from crashext.kernel.cpus import RunningTask
from crashext.kernel.log import Log, Record
from crashext.kernel.machine import Times
from crashext.kernel.modules import Module, Modules
from crashext.kernel.tasks import Task, Tasks
from crashext.locate import Evidence, Found, Location, finding
from crashext.report.facts import Facts
from crashext.report.page import course
from crashext.report.panic import Panic
from crashext.report.result import FileFacts, Report
from crashext.report.vcpus import VcpuPlace

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_dumps" / "ovmf-kaslr.kdump"
GIB, TIB = 1 << 30, 1 << 40

#: What a guest may call itself: markup, both quotes, template marks, NUL, escape sequences,
#: controls of the writing direction, bytes that are no UTF-8, ends of comments and of scripts.
HOSTILE = (
    b"<script>alert(1)</script><img src=x onerror=alert(2)>\"'`{{ 7*7 }}{% raw %}\0\x1b[31m"
    b"\xe2\x80\xae\xe2\x81\xa6\xf0\x9f\x92\xa9\xff\xed\xa0\x80]]>--></style></title>&#60;&amp;"
)
HOSTILE_TEXT = HOSTILE.decode("utf-8", "surrogateescape") + "\ud800\u202e\u2028"


def hostile_facts(times: int = 1) -> Facts:
    """All that a guest can say, said in bad faith; ``times`` as much of what there is many of."""
    task = Task(0xFFFF888000000000, 1, 1, HOSTILE[:16], "R", 0)
    running = RunningTask(0, True, task)
    records = [
        Record(HOSTILE + b" %d\n" % n + HOSTILE, n * 10**9, n, n % 9, 0) for n in range(40 * times)
    ]
    return Facts(
        times=Times(0, 10**12),
        hostname=HOSTILE,
        command_line=HOSTILE * 10,
        taint="<b>G",
        panic_cpu=1,
        tasks=Tasks((task,) * 3, HOSTILE_TEXT),
        modules=Modules(tuple(Module(HOSTILE, n, n) for n in range(100 * times))),
        cpus=(running,),
        vcpus=tuple(
            VcpuPlace(n, HOSTILE_TEXT, n, HOSTILE_TEXT, running, "stack") for n in range(4 * times)
        ),
        log=Log(tuple(records), "ring", (HOSTILE_TEXT,)),
        panic=Panic(HOSTILE, HOSTILE, HOSTILE, fatal=True),
        lacking={"<i>log": HOSTILE_TEXT},
    )


def hostile_location(path: str, kernels: tuple[dict[str, Any], ...] = ()) -> Location:
    bad = HOSTILE_TEXT
    return Location(
        path, "x86_64", True, text_paddr=1 << 24, release=bad, banner=bad, build_id=bad,
        confidence="certain", evidence=tuple(Evidence(bad, bad, h) for h in (True, False, None)),
        crash_args=(bad.replace("\ud800", ""),), warnings=(bad,), reason=bad, kernels=kernels,
        debug_install=(HOSTILE.decode("latin-1"),), debuginfod=(bad,),
    )  # fmt: skip


def hostile_page(times: int = 1) -> str:
    """The page of a dump whose file name, guest and warnings are all hostile."""
    with open_dump(str(SAMPLE)) as dump, finding(dump) as real:
        path = f"/tmp/{HOSTILE_TEXT.replace('/', '').replace(chr(0xD800), '')}.kdump"
        location = hostile_location(path, real.location.kernels)
        found = Found(location, real.context, real.image, real.images)
        return _page(dump, found, hostile_facts(times))


def _page(dump: Dump, found: Found, facts: Facts | None) -> str:
    seen = detect(dump)
    file = FileFacts("kdump", False, "zlib", seen.origin, dump.ram_bytes, len(dump.ram), False,
                     False, (HOSTILE_TEXT,) if facts else ())  # fmt: skip
    report = Report(found.location, file, facts)
    drawn = course.draw(dump, found, report)
    return course.page(dump, found, report, seen, drawn, kinds=True, progress=lambda *_: None)


@contextmanager
def vast(path: Path = SAMPLE, *, ranges: int = 3) -> Iterator[tuple[Dump, Found]]:
    """A real kernel in a guest of 1 TiB, whose pages are of all kinds."""
    with open_dump(str(path)) as dump, finding(dump) as found:
        size = TIB // ranges // 4096 * 4096
        dump.ram = tuple(Range(n * (size + GIB), n * (size + GIB) + size) for n in range(ranges))
        dump.tally = varied  # type: ignore[method-assign]
        yield dump, found


def varied(start: int, end: int, most: int) -> Tally:
    """A tally that differs from cell to cell, like those of a guest that is used."""
    pages, turn = (end - start) // 4096, (start >> 20) * 2654435761 % 1009
    zero = pages * (turn % 37) // 37 if turn % 3 else pages
    missing = (pages - zero) * (turn % 11 == 0)
    stored = pages - zero - missing
    return Tally(pages, pages, missing, zero, stored * 4096 * (turn % 101) // 101)


def vast_page(path: Path = SAMPLE, **how: int) -> str:
    from crashext.report.facts import gather

    with vast(path, **how) as (dump, found):
        return _page(dump, found, gather(found))
