# SPDX-License-Identifier: GPL-3.0-or-later
"""Searching all of RAM for VMCOREINFO texts.

The kernel keeps two copies in pages of their own (kernel/vmcore_info.c, formerly
crash_core.c): ``vmcoreinfo_data``, where the text starts the page, and
``vmcoreinfo_note``, where an ELF note header and the padded name stand before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..vmcoreinfo import Vmcoreinfo, parse
from .candidate import Candidate
from .context import Context
from .from_vmcoreinfo_note import from_text

SOURCE = "vmcoreinfo-memory"
_MARK = b"OSRELEASE="
#: 12 bytes of Nhdr and "VMCOREINFO\\0" padded to 12.
_NOTE_HEAD = 24
_HEAD = _NOTE_HEAD + len(_MARK)
_TEXT_MAX = 4096


def propose(context: Context) -> Iterator[Candidate]:
    """A candidate for every VMCOREINFO text at the start of a page."""
    for paddr, info in texts(context):
        candidate = from_text(info, SOURCE, f"at {paddr:#x}", context.ram_end)
        if candidate is not None:
            yield candidate


def texts(context: Context) -> Iterator[tuple[int, Vmcoreinfo]]:
    """Physical address and content of each VMCOREINFO text in RAM, ascending."""
    done = 0
    for paddr, head in context.dump.page_heads(_HEAD):
        done += 1
        if done % 8192 == 0:
            context.progress("searching memory for VMCOREINFO", paddr / context.ram_end)
        skip = 0 if head.startswith(_MARK) else _NOTE_HEAD
        if head[skip : skip + len(_MARK)] != _MARK:
            continue
        text = read_text(context, paddr + skip)
        if text is not None:
            yield paddr + skip, text


def read_text(context: Context, paddr: int) -> Vmcoreinfo | None:
    """The VMCOREINFO text at ``paddr``, to its NUL or the end of a page's worth."""
    data = context.memory.get(paddr, _TEXT_MAX) or context.memory.get(paddr, 4096 - paddr % 4096)
    if data is None or not data.startswith(_MARK):
        return None
    return parse(data.partition(b"\0")[0])
