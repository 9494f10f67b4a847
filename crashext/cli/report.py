# SPDX-License-Identifier: GPL-3.0-or-later
"""``qemufix report``: what happened in this guest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from ..text import shell_word, size_text
from .dmesg import vmlinux_of
from .physbase import check_damage, check_kernel
from .progress import Progress

if TYPE_CHECKING:
    from ..detect.result import Detection
    from ..dumps.base import Dump
    from ..locate import Found
    from ..report.result import Report
    from .job import Job


class Options(NamedTuple):
    """The command line of ``report``, as given."""

    dumps: tuple[str, ...]
    output: str | None
    png: str | None
    svg: str | None
    page_map: bool
    everything: bool
    vmlinux: tuple[str, ...]
    kernel: str | None
    as_json: bool

    @property
    def files(self) -> list[str]:
        """The files to be written."""
        return [path for path in (self.output, self.png, self.svg) if path is not None]


def run_report(job: Job, options: Options) -> int:
    """Gather, print, and draw what was asked for; returns the exit status."""
    from ..detect import detect
    from ..locate import finding
    from ..report.facts import gather
    from ..report.result import FileFacts, Report
    from ..report.text import lines

    check_kernel(options.kernel)
    vmlinux = vmlinux_of(job, options.vmlinux)
    _check_files(options, options.vmlinux)
    written: list[str] = []
    with (
        Progress(job.err) as progress,
        job.open_dump(options.dumps, progress) as dump,
        finding(
            dump,
            vmlinux=vmlinux,
            kernel=options.kernel,
            everything=options.everything,
            progress=progress,
        ) as found,  # fmt: skip
    ):
        check_damage(dump, found.location)
        facts = gather(found) if found.location.found else None
        detection = detect(dump)
        answer = Report(
            found.location, FileFacts.of(dump, detection), facts, job.session is not None
        )
        if options.files:
            _check_same(options.files, dump.path)
            drawing = _draw(options, found, answer, detection, dump=dump, progress=progress)
            written = list(drawing)
    job.answer(answer, (*lines(answer), *written), as_json=options.as_json)
    return 0 if answer.location.found else 1


def _check_files(options: Options, vmlinux: Sequence[str]) -> None:
    """Before anything is read: are the packages there, and is nothing to be overwritten?"""
    if options.output is not None:
        import jinja2  # noqa: F401
    if options.png is not None:
        with suppress(OSError):  # its library is missing, which is told where it is used
            import cairosvg  # noqa: F401
    names = [Path(path).resolve() for path in options.files]
    if len(set(names)) < len(names):
        raise click.UsageError("one file can't be both: give -o, --png and --svg other names")
    for given in (*options.dumps, *vmlinux):
        _check_same(options.files, given)


def _check_same(files: list[str], given: str) -> None:
    for path in files:
        with suppress(OSError):
            if Path(path).samefile(given):
                raise click.UsageError(f"{shell_word(path)} is what is to be read: not overwritten")


def _draw(
    options: Options, found: Found, answer: Report, detection: Detection, *,
    dump: Dump, progress: Progress,
) -> Iterator[str]:  # fmt: skip
    """Write the files asked for; a line for each."""
    from ..report.page import course, svg
    from ..report.page.output import png

    drawn = course.draw(dump, found, answer)
    if options.output is not None:
        page = course.page(
            dump, found, answer, detection, drawn, kinds=options.page_map, progress=progress
        )
        yield _write(options.output, page.encode(), dump)
    if options.svg is not None:
        yield _write(options.svg, svg.alone(drawn.memory), dump)
    if options.png is not None:
        yield _write(options.png, png(svg.alone(drawn.memory)), dump)


def _write(path: str, data: bytes, dump: Dump) -> str:
    from ..report.page.output import write

    write(path, [data], dump.path)
    return f"wrote {shell_word(path)}: {size_text(len(data))}"
