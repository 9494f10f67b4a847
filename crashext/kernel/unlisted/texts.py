# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known by its bytes: the banner, and the notes with the build ID."""

from __future__ import annotations

from ...dumps.base import ByteOrder
from ...notes import packed, walk_notes
from .blocks import Copy

_MOST_NOTES = 4096  # bytes of .notes


def find_banner(copy: Copy, banner: str | None) -> int | None:
    """Where ``linux_banner`` is; None where its text stands nowhere, or in several places."""
    text = ((banner or "").strip() + "\n\0").encode("ascii", "replace")
    at = copy.block.find(text) if banner else -1
    return None if at < 0 or copy.block.find(text, at + 1) >= 0 else copy.vaddr + at


def find_notes(copy: Copy, build_id: str | None, byte_order: ByteOrder) -> tuple[int, int] | None:
    """Where the notes from the build ID's on start and end; None where there is no such one."""
    if build_id is None:
        return None
    note = packed("GNU", 3, bytes.fromhex(build_id), byte_order)  # NT_GNU_BUILD_ID (elf.h)
    at = copy.block.find(note)
    while at >= 0 and at % 4:
        at = copy.block.find(note, at + 1)
    if at < 0:
        return None
    data = bytes(copy.block[at : at + _MOST_NOTES])
    notes = walk_notes(data, byte_order)
    sizes = (len(packed(n.name, n.type, n.desc, byte_order)) for n in notes if n.name)
    return copy.vaddr + at, copy.vaddr + at + sum(sizes)
