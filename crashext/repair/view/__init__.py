# SPDX-License-Identifier: GPL-3.0-or-later
"""A repaired dump to be opened by its path, while the file itself stays as it is.

``files`` mounts a folder with one file in it, by FUSE; a ``guard`` beside it ends it with the
program that reads it; ``places`` are the mount points; ``copied`` is for where none can be made.

What else was tried: drgn takes memory from Python (``Program.add_memory_segment``) and a
VMCOREINFO (``Program(vmcoreinfo=...)``), which serves scripts, but its command line has no way
to such a program; crash, gdb, libkdumpfile and makedumpfile take nothing but a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ...dumps.source import Source

__all__ = ["View", "show"]

#: What a file of a view may be called: crash takes some signs of a name for options' ends.
_ODD = re.compile(r"[^A-Za-z0-9._+-]")

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of it that is."""


class View(NamedTuple):
    """Where a dump is shown: ``path`` to open, and ``why_copied`` if that is a copy."""

    path: str
    why_copied: str = ""


def show(source: Source, *, reader: int | None = None, progress: Progress | None = None) -> View:
    """Make ``source`` readable by a path for as long as the process ``reader`` lives.

    Args:
        source: what is shown. A view goes on reading from it in a process of its own.
        reader: whose end ends the view, this process if None; it may execute another program.
        progress: called while a copy is written.

    Raises:
        UnreadableDump: neither view nor copy can be made.
    """
    from .copied import copied
    from .guard import NoView, start

    name = _ODD.sub("_", Path(source.path).name) or "dump"
    try:
        return View(start(source, name, os.getpid() if reader is None else reader))
    except NoView as problem:
        return View(copied(source, progress), str(problem))
