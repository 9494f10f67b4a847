# SPDX-License-Identifier: GPL-3.0-or-later
"""A right dump in a new file: a copy that is mended, or written anew in another format.

It grows beside its name and gets it when it is whole and on disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..dumps.flattened import FlattenedSource
from ..errors import RepairError
from .plan import Plan
from .write.beside import beside, permit_as
from .write.copying import copy_file, image_of, plain_of
from .write.elf_file import write_elf
from .write.kdump_file import write_kdump
from .write.sink import FileSink, FlatSink, Sink
from .write.written import Written

Progress = Callable[[str, float], None]
#: What a kdump made of a dump that has no compression is compressed with.
_COMPRESSION = "zlib"


class Form(NamedTuple):
    """What is written: ``format`` "elf" or "kdump", ``compress`` as ``--compress`` has it;
    ``copied`` where the dump's own bytes are kept and mended."""

    format: str
    compress: str
    copied: bool


def form_of(plan: Plan, to: str | None, compress: str | None, *, stream: bool = False) -> Form:
    """What ``--to`` and ``--compress`` mean for this dump; ``stream`` writes to a pipe."""
    dump = plan.dump
    format_ = to or ("elf" if dump.format == "elf" and compress in (None, "keep", "none") else
                     "kdump")  # fmt: skip
    same = format_ == dump.format and compress in (None, "keep") and not stream
    blocks = format_ == "elf" or plan.headers.page_size == dump.page_size
    # Nothing in a plain file would tell lost records from zeros.
    whole = dump.complete or not dump.flattened
    copied = same and blocks and whole and not plan.unmendable and plan.source is not None
    usual = _COMPRESSION if dump.compression == "none" and dump.format != "kdump" else "keep"
    return Form(format_, compress or usual, copied)


def write_new(plan: Plan, output: str, form: Form, progress: Progress | None) -> Written:
    """Write ``output``; "-" is stdout, flattened.

    Raises:
        RepairError: it is the dump itself, or no file can be put there.
        UnsupportedDump: the dump can't be written so.
        OSError: the system can't.
    """
    told = partial(progress, "Writing") if progress else None
    if output == "-":
        return _anew(plan, form, FlatSink(1), told)
    path = Path(output)
    _check_output(plan, path)
    with beside(path) as fd:
        permit_as(fd, plan.dump.path)
        if form.copied:
            return _copied(plan, fd, told)
        return _anew(plan, form, FileSink(fd), told)


def _anew(plan: Plan, form: Form, sink: Sink, progress: Callable[[float], None] | None) -> Written:
    """Every page written again."""
    if form.format == "elf":
        return write_elf(plan.dump, plan.headers, sink, progress=progress)
    return write_kdump(plan.dump, plan.headers, sink, compression=form.compress, progress=progress)


def _copied(plan: Plan, fd: int, progress: Callable[[float], None] | None) -> Written:
    """The dump's own bytes, a flattened file made plain, and the patches over them."""
    source, file = plan.source, plan.file
    assert source is not None
    if isinstance(source, FlattenedSource):
        written = plain_of(source, FileSink(fd), progress)
    elif file is not None:
        written = copy_file(file.fileno(), fd, progress)
    else:
        written = image_of(source, FileSink(fd), progress)
    for patch in plan.patches:
        done = 0
        while done < len(patch.data):
            done += os.pwrite(fd, patch.data[done:], patch.offset + done)
        written.bytes_written += done
    return written


def _check_output(plan: Plan, path: Path) -> None:
    if path.is_dir():
        raise RepairError(f"{path} is a directory")
    if path.exists() and not path.is_file():
        raise RepairError(f"{path} is there already, and no regular file")
    if path.exists() and path.samefile(plan.dump.path):
        raise RepairError(f"{path} is the dump itself: use --in-place")
