# SPDX-License-Identifier: GPL-3.0-or-later
"""A repaired dump as a new file on a file system of fsspec's."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...dumps.flattened import FlattenedSource
from ...repair.plan import Plan
from .remote import file_system

_PART = 8 << 20  # bytes written at a time


def put(plan: Plan, url: str) -> None:
    """Write it, unless it is there already; whole or not at all.

    Raises:
        Exception: whatever the file system's own is; it may be one that can't be written.
    """
    from ...repair.new_file import form_of

    fs, path = file_system(url)
    if fs.exists(path):
        return
    form = form_of(plan, None, None)
    try:
        if form.copied and not isinstance(plan.source, FlattenedSource):
            _stream(plan, fs, path)
        else:
            _by_way_of_a_file(plan, fs, path)
    except BaseException:
        # A file system may take what was written so far for the whole.
        with suppress(Exception):
            fs.rm_file(path)
        raise


def _stream(plan: Plan, fs: Any, path: str) -> None:
    """The dump's own bytes with the patches over them; nothing is kept here."""
    source = plan.mended()
    with fs.open(path, "wb") as file:
        for at in range(0, source.size, _PART):
            file.write(source.exactly(at, min(_PART, source.size - at), "a part of the dump"))


def _by_way_of_a_file(plan: Plan, fs: Any, path: str) -> None:
    """Written anew, which takes seeking."""
    from ...repair.course import repair_into

    with tempfile.TemporaryDirectory(prefix="qemufix-") as folder:
        local = Path(folder, "repaired")
        repair_into(plan, str(local))
        fs.put_file(str(local), path)
