# SPDX-License-Identifier: GPL-3.0-or-later
"""Searching all of RAM for VMCOREINFO texts.

The kernel keeps two copies in pages of their own (kernel/vmcore_info.c, formerly
crash_core.c): ``vmcoreinfo_data``, where the text starts the page, and
``vmcoreinfo_note``, where an ELF note header and the padded name stand before it.
A guest can plant any number of such pages: what they claim is tested first, and only
claims that page tables bear out are followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...arch.base import Proposal
from ...vmcoreinfo import Vmcoreinfo, parse
from ..context import Context
from .claim import claimed

SOURCE = "vmcoreinfo-memory"
_MARK = b"OSRELEASE="
#: Bytes before the text in a note: 12 of Nhdr and "VMCOREINFO\0" padded to 12.
NOTE_HEAD = 24
MARKS = ((0, _MARK), (NOTE_HEAD, _MARK))
"""What a page with a text has, and where."""
_TEXT_MAX = 4096
#: What zlib makes of a page with such a text: kernels that print phys_base (4.10 and later)
#: write 1.7 KiB or more of hex numbers and words, at most 4 KiB. Kernel 6.1's 3.2 KiB make
#: 1.3 KiB, 4 KiB full of numbers 1.7 KiB. Below lie the arrays of struct page, by the
#: hundred thousand in a large guest.
_STORED = range(600, 2100)
#: Different claims tested; a guest that plants more hides nothing but the rest of them.
_MAX_CLAIMS = 20_000


def propose(context: Context) -> Iterator[Proposal]:
    """A proposal for each different claim; the copies of a text count once."""
    return claims(context, texts(context), SOURCE)


def claims(
    context: Context, found: Iterable[tuple[int, Vmcoreinfo]], source: str
) -> Iterator[Proposal]:
    """Likewise of the texts ``found``."""
    seen: set[tuple[object, ...]] = set()
    for paddr, info in found:
        context.crash_noted |= "CRASHTIME" in info.values
        voffset = context.arch.said_voffset(info)
        key = (voffset, info.kernel_offset, info.symbols.get("_stext"), info.osrelease)
        if key in seen:
            continue
        if len(seen) >= _MAX_CLAIMS:
            context.warn(f"more than {_MAX_CLAIMS} different VMCOREINFO texts in memory")
            context.bounded = True
            return
        seen.add(key)
        proposal = claimed(context, info, source, paddr)
        if proposal is not None:
            yield proposal


def texts(context: Context) -> Iterator[tuple[int, Vmcoreinfo]]:
    """Physical address and content of each VMCOREINFO text in RAM, ascending."""

    def progress(fraction: float) -> None:
        context.progress("searching memory for VMCOREINFO", fraction)

    for paddr in context.dump.pages_with(MARKS, stored=_STORED, progress=progress):
        yield from texts_at(context, paddr)


def texts_at(context: Context, paddr: int) -> Iterator[tuple[int, Vmcoreinfo]]:
    """Likewise of those in the page at ``paddr``."""
    for skip, _ in MARKS:
        text = read_text(context, paddr + skip)
        if text is not None:
            yield paddr + skip, text


def read_text(context: Context, paddr: int) -> Vmcoreinfo | None:
    """The VMCOREINFO text at ``paddr``, parsed; None if none stands there."""
    raw = raw_text(context, paddr)
    return None if raw is None else parse(raw)


def raw_text(context: Context, paddr: int) -> bytes | None:
    """The VMCOREINFO text at ``paddr``, to its NUL or the end of a page's worth."""
    room = 4096 - paddr % 4096
    data = context.memory.get(paddr, room)
    if data is None or not data.startswith(_MARK):
        return None
    if b"\0" not in data and room < _TEXT_MAX:
        data += context.memory.get(paddr + room, _TEXT_MAX - room) or b""
    return data.partition(b"\0")[0]
