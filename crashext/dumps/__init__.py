# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory dumps of guests, read in place: ``open_dump`` and the formats behind it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import UnsupportedDump
from . import elf, flattened, kdump, known
from .base import Dump, Note, Range
from .source import FileSource, Source

__all__ = ["CONTAINERS", "FORMATS", "Dump", "Note", "Range", "open_dump"]

CONTAINERS: tuple[Callable[[Source], Source | None], ...] = (flattened.unwrap,)
"""Each gives the image inside a file, or None where the file isn't of its kind."""

FORMATS: tuple[Callable[[Source], Dump | None], ...] = (kdump.probe, elf.probe)
"""Each gives the dump, None where it isn't of its kind, or raises where it is and is broken."""


def open_dump(*paths: str | os.PathLike[str], **options: Any) -> Dump:
    """Open a guest-memory dump.

    Args:
        paths: the file; several for a set that was written split.
        options: none yet.

    Raises:
        UnreadableDump: no such file, a directory, empty, no random access.
        UnknownFormat: no dump that is known.
        UnsupportedDump: recognised, and not read.
        CorruptDump: damaged in what opening needs.
    """
    if not paths or options:
        raise TypeError("open_dump() takes the paths of a dump's files")
    path, *rest = (os.fspath(p) for p in paths)
    if rest:
        raise UnsupportedDump("split sets of dump files are not read yet", path=path)
    source: Source = FileSource(path)
    try:
        source = _unwrapped(source)
        return _opened(source)
    except BaseException:
        source.close()
        raise


def _unwrapped(source: Source) -> Source:
    for unwrap in CONTAINERS:
        inner = unwrap(source)
        if inner is not None:
            return inner
    return source


def _opened(source: Source) -> Dump:
    for probe in FORMATS:
        dump = probe(source)
        if dump is not None:
            return dump
    raise known.refuse(source)
