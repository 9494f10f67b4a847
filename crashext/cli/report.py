# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix report``: what happened in this guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .dmesg import vmlinux_of
from .physbase import check_damage, check_kernel
from .progress import Progress

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from ..report.result import FileFacts
    from .job import Job


class Options(NamedTuple):
    """The command line of ``report``, as given."""

    dumps: tuple[str, ...]
    vmlinux: tuple[str, ...]
    kernel: str | None
    as_json: bool


def run_report(job: Job, options: Options) -> int:
    """Gather and print; returns the exit status."""
    from ..locate import finding
    from ..report.facts import gather
    from ..report.result import Report
    from ..report.text import lines

    check_kernel(options.kernel)
    vmlinux = vmlinux_of(job, options.vmlinux)
    with (
        Progress(job.err) as progress,
        job.open_dump(options.dumps, progress) as dump,
        finding(dump, vmlinux=vmlinux, kernel=options.kernel, progress=progress) as found,
    ):
        check_damage(dump, found.location)
        facts = gather(found) if found.location.found else None
        answer = Report(found.location, _file(dump), facts, job.session is not None)
    job.answer(answer, lines(answer), as_json=options.as_json)
    return 0 if answer.location.found else 1


def _file(dump: Dump) -> FileFacts:
    from ..detect import detect
    from ..report.result import FileFacts

    seen = detect(dump)
    return FileFacts(
        dump.format, dump.flattened, dump.compression, seen.origin, dump.ram_bytes,
        len(dump.ram), dump.complete, dump.vmcoreinfo is not None, dump.warnings,
    )  # fmt: skip
