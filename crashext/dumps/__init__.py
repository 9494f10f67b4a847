# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory dumps of guests, read in place: ``open_dump`` and the formats behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Literal

from ..budget import DEEPEST, MEMORY, Budget
from ..errors import UnsupportedDump
from . import elf, flattened, kdump, known
from .base import Dump, Note, Range
from .magic import AVML, COMPRESSED, DUMPS, LIME, QEVM, SAVE
from .source import FileSource, Source

if TYPE_CHECKING:
    from .unpacked import Progress

__all__ = ["FORMATS", "Dump", "Note", "Range", "open_dump", "open_image", "open_source"]


def _rare(source: Source) -> Dump | None:
    """What comes seldom: its module is loaded when one does."""
    magic = source.pread(0, 4)
    if magic == QEVM:
        from .qevm import open_stream

        return open_stream(source)
    if magic == LIME:
        from .lime import LimeDump

        return LimeDump(source)
    if magic == AVML:
        from .avml import AvmlDump

        return AvmlDump(source)
    return None


FORMATS: tuple[Callable[[Source], Dump | None], ...] = (kdump.probe, elf.probe, _rare)
"""Each gives the dump, None where it isn't of its kind, or raises where it is and is broken."""


def open_dump(
    *paths: str | os.PathLike[str],
    format: Literal["raw"] | None = None,
    offset: int | Sequence[int] = 0,
    progress: Progress | None = None,
    max_memory: int = MEMORY,
    max_unpacked: int | None = None,
    ask: Callable[[str], bool] | None = None,
    say: Callable[[str], None] | None = None,
) -> Dump:
    """Open a guest-memory dump.

    Args:
        paths: the file; all files of a set that was written split; raw files of one memory.
        format: "raw" for plain memory without a header, which nothing tells by itself.
        offset: of a raw file: the guest-physical address of its first byte; of several
            files one for each, in their order.
        progress: called with a stage and the fraction done while a compressed file
            is unpacked, which can take minutes.
        max_memory: bytes that tables, notes and windows of the file may take.
        max_unpacked: bytes on disk that unpacking a compressed file may take; without it
            the file's size tells.
        ask: called with a question, where unpacking takes more than that; True goes on.
        say: called with a line that is worth knowing: that a file was unpacked.

    Raises:
        UnreadableDump: no such file, a directory, empty, no random access.
        UnknownFormat: no dump that is known.
        UnsupportedDump: recognised, and not read.
        CorruptDump: damaged in what opening needs.
        OverBudget: it needs more than is allowed.
        TypeError: no path, or not as many offsets as raw files.
    """
    if not paths:
        raise TypeError("open_dump() needs a path")
    offsets = [offset] if isinstance(offset, int) else list(offset)
    if format == "raw" and len(offsets) != len(paths):
        raise TypeError(f"{len(paths)} raw files need as many offsets, not {len(offsets)}")
    ways: Sequence[Callable[[Source], Dump]] = [_opened] * len(paths)
    if format == "raw":
        ways = [partial(_opened_raw, offset=each) for each in offsets]
    budget = Budget(max_memory, max_unpacked, ask, say)
    with ExitStack() as undo:
        dumps = [
            undo.enter_context(_open_one(FileSource(os.fspath(p), budget), opened, progress))
            for p, opened in zip(paths, ways, strict=True)
        ]
        dump = _joined(dumps)
        undo.pop_all()
    return dump


def open_source(source: Source) -> Dump:
    """The dump in ``source``, which is not a compressed file; raises as :func:`open_dump`."""
    return _opened(flattened.unwrap(source) or source)


def open_image(source: Source) -> Dump:
    """Likewise where the file may be compressed; it is closed where it can't be opened."""
    return _joined([_open_one(source, _opened, None)])


def _open_one(source: Source, opened: Callable[[Source], Dump], progress: Progress | None) -> Dump:
    check = _check_readable if opened is _opened else _accept
    try:
        return opened(_unpacked(source, check, progress))
    except BaseException:
        source.close()
        raise


def _unpacked(
    source: Source, check: Callable[[bytes, str], None], progress: Progress | None
) -> Source:
    """The image inside the containers that a file may be."""
    for _ in range(DEEPEST):
        start = source.pread(0, 16)
        if start.startswith(tuple(COMPRESSED)):
            from . import wrapped

            source = wrapped.unwrap(source, check, progress)
        elif start == SAVE:
            from .libvirt import stream_of

            source = stream_of(source)
        else:
            return flattened.unwrap(source) or source
    raise UnsupportedDump(f"{DEEPEST} containers or more, one in the other", path=source.path)


def _accept(start: bytes, path: str) -> None:
    """A raw file may start with anything."""


def _check_readable(start: bytes, path: str) -> None:
    """Refuse what is no dump by its first bytes, before all of it is unpacked."""
    if not start.startswith(tuple(DUMPS)):
        raise known.refusal(start, path)


def _opened(source: Source) -> Dump:
    for probe in FORMATS:
        dump = probe(source)
        if dump is not None:
            return dump
    raise known.refusal(source.pread(0, 4096), source.path, source.size)


def _opened_raw(source: Source, offset: int) -> Dump:
    from .raw import RawDump

    return RawDump(source, offset)


def _joined(dumps: list[Dump]) -> Dump:
    """The only dump, or the parts of one together."""
    if len(dumps) > 1 and all(dump.format == "raw" for dump in dumps):
        from .raw import RawDump

        return RawDump.of([dump for dump in dumps if isinstance(dump, RawDump)])
    parts = [dump for dump in dumps if isinstance(dump, kdump.KdumpDump)]
    if len(dumps) == 1 and not (parts and parts[0].header.split):
        return dumps[0]
    if len(parts) < len(dumps):
        other = next(dump for dump in dumps if dump not in parts)
        raise UnsupportedDump("only a kdump comes in several files", path=other.path)
    from .split import SplitDump

    return SplitDump(parts)
