# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory dumps of guests, read in place: ``open_dump`` and the formats behind it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack

from ..errors import UnsupportedDump
from . import elf, flattened, kdump, known
from .base import Dump, Note, Range
from .source import FileSource, Source

__all__ = ["CONTAINERS", "FORMATS", "Dump", "Note", "Range", "open_dump"]

CONTAINERS: tuple[Callable[[Source], Source | None], ...] = (flattened.unwrap,)
"""Each gives the image inside a file, or None where the file isn't of its kind."""

FORMATS: tuple[Callable[[Source], Dump | None], ...] = (kdump.probe, elf.probe)
"""Each gives the dump, None where it isn't of its kind, or raises where it is and is broken."""


def open_dump(*paths: str | os.PathLike[str]) -> Dump:
    """Open a guest-memory dump.

    Args:
        paths: the file; all files of a set that was written split.

    Raises:
        UnreadableDump: no such file, a directory, empty, no random access.
        UnknownFormat: no dump that is known.
        UnsupportedDump: recognised, and not read.
        CorruptDump: damaged in what opening needs.
    """
    if not paths:
        raise TypeError("open_dump() needs a path")
    with ExitStack() as undo:
        dumps = [undo.enter_context(_open_one(os.fspath(path))) for path in paths]
        dump = _joined(dumps)
        undo.pop_all()
    return dump


def _open_one(path: str) -> Dump:
    source: Source = FileSource(path)
    try:
        source = _unwrapped(source)
        return _opened(source)
    except BaseException:
        source.close()
        raise


def _unwrapped(source: Source) -> Source:
    for unwrap in CONTAINERS:
        source = unwrap(source) or source
    return source


def _opened(source: Source) -> Dump:
    for probe in FORMATS:
        dump = probe(source)
        if dump is not None:
            return dump
    raise known.refuse(source)


def _joined(dumps: list[Dump]) -> Dump:
    """The only dump, or the parts of a split one together."""
    parts = [dump for dump in dumps if isinstance(dump, kdump.KdumpDump)]
    if len(dumps) == 1 and not (parts and parts[0].header.split):
        return dumps[0]
    if len(parts) < len(dumps):
        other = next(dump for dump in dumps if dump not in parts)
        raise UnsupportedDump("only a kdump comes in several files", path=other.path)
    from .split import SplitDump

    return SplitDump(parts)
