# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches of the image in a flattened container, as patches of the file.

What a record holds is replaced in that record; what lies behind the image goes into a new
record before the end mark. Records that overlap would be shorter, but crash 8 takes none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from ..dumps.flattened import FlattenedSource
from ..errors import RepairError
from .overlay import Patch

_RECORD = struct.Struct(">qq")
_END = _RECORD.pack(-1, -1)


def in_file(source: FlattenedSource, patches: Sequence[Patch]) -> list[Patch]:
    """The same changes, as bytes of the container.

    Raises:
        RepairError: the container is cut off, or a patch lies where no record is.
    """
    if source.end_mark is None:
        raise RepairError("the flattened file is cut off before its end mark")
    inside = [p for p in patches if p.offset < source.size]
    behind = [p for p in patches if p.offset >= source.size]
    found = [part for patch in inside for part in _recorded(source, patch)]
    place, added = source.end_mark, b""
    for patch in behind:
        added += _RECORD.pack(patch.offset, len(patch.data)) + patch.data
    if added:
        found.append(Patch(place, added + _END))
    return found


def _recorded(source: FlattenedSource, patch: Patch) -> Iterator[Patch]:
    done = 0
    for place, size in source.places(patch.offset, len(patch.data)):
        yield Patch(place, patch.data[done : done + size])
        done += size
    if done != len(patch.data):
        raise RepairError("no record of the flattened file holds its headers whole")
