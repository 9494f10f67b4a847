# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a fleet that never was: any number of them, and hostile ones."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from crashext.text import printable
from crashext.triage.row import Row
from crashext.triage.store import Store

_RELEASES = [f"6.{minor}.0-{abi}-amd64" for minor in (1, 6, 10, 12) for abi in range(4, 44, 5)]
_STOPS = [
    ("sysrq_handle_crash", "sysrq triggered crash"),
    ("ext4_mb_release", "Fatal exception"),
    ("nf_conntrack_in", "Fatal exception in interrupt"),
    ("do_exit", "Attempted to kill init! exitcode=0x00000009"),
    (None, "hung_task: blocked tasks"),
    ("watchdog_timer_fn", "softlockup: hung tasks"),
]
_TROUBLE = [
    ("damaged", None, "offset 0x1c2{:04x}: the file is cut off"),
    ("failed", "limit", "it took more than 300 seconds"),
    ("uncertain", None, "no vCPU runs in a kernel"),
    ("failed", "unreadable", "can't read: 503 Service Unavailable"),
    ("not_a_dump", None, "not a dump of a known kind"),
]


def simulated(count: int, seed: int = 16) -> Iterator[Row]:
    """So many rows, always the same, in the order of their URLs."""
    draw = random.Random(seed)
    for number in range(count):
        month = f"2026-{1 + number * 12 // count:02}"
        url = f"s3://dumps/{month}/host-{number:07}/guest.kdump"
        size, trouble = draw.randrange(1 << 26, 1 << 38), draw.random()
        row = Row(url, f"{size} ETag {number:x}", size, "kdump", "zlib", "x86_64", "qemu",
                  draw.randrange(1 << 29, 1 << 41), bytes_read=draw.randrange(4 << 20, 12 << 20),
                  requests=draw.randrange(20, 60), seconds=round(draw.random(), 3))  # fmt: skip
        if trouble < 0.06:
            verdict, failure, reason = draw.choice(_TROUBLE)
            yield row._replace(
                verdict=verdict,  # type: ignore[arg-type]
                failure=failure,  # type: ignore[arg-type]
                reason=reason.format(number % 0xFFFF),
            )
            continue
        kernel = int(draw.random() ** 2 * len(_RELEASES))
        function, panic = draw.choice(_STOPS) if draw.random() < 0.4 else (None, None)
        openable = draw.random() < 0.2
        yield row._replace(
            verdict="openable" if openable else "needs_repair",
            changes=() if openable else ("VMCOREINFO", "phys_base"),
            release=_RELEASES[kernel], build_id=hashlib.sha1(b"%d" % kernel).hexdigest(),
            confidence="certain", hostname=f"web-{draw.randrange(count // 3 + 1)}.example.org",
            boot_time=f"{month}-{draw.randrange(1, 28):02}T01:02:03+00:00",
            uptime=round(draw.random() * 1e5, 6), panic=panic, panic_function=function,
            last_log=f"Rebooting in {number % 60} seconds..", log_digest=f"{number:016x}",
        )  # fmt: skip


def hostile_rows(bad: str) -> Iterator[Row]:
    """Every text that a row can have, in bad faith; what is escaped in a real row is here, too."""
    text = printable(bad)
    for number in range(40):
        yield Row(
            f"/srv/{bad}/{number}{bad}", f"5 {bad}", 5, text, text, text, text, 1 << 40,
            "openable" if number % 2 else "failed", None if number % 2 else "bug",
            text * 20, (text,), text, text, text, text, text, text, "2026-11-27T01:00:00+00:00",
            1e9 if number % 3 else 1.5, text, text if number % 5 else None, text, text,
        )  # fmt: skip


def filled(path: str, rows: Iterator[Row]) -> None:
    """A store with such rows."""
    with Store(path) as store:
        store.put_all(rows)
