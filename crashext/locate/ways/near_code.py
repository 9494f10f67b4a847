# SPDX-License-Identifier: GPL-3.0-or-later
"""VMCOREINFO texts near a kernel's code, for dumps whose memory is too dear to search.

A few KiB in each 4 MiB tell where a kernel's text is (:mod:`crashext.locate.kernel_code`),
the ends of RAM first. Its VMCOREINFO is in pages that it asked for while it started: the
first that are free where RAM starts or behind the image, or, where the guest has memory above
4 GiB, there (mm/page_alloc.c takes from the highest zone first). Else the image's own symbols
lead there, where it has those of data.

What is looked at is a part of memory: what is found is judged as anywhere else, and where
nothing holds all of memory is searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from ...arch.base import Proposal
from ...dumps.base import Range
from ...dumps.marks import in_chunk
from ...vmcoreinfo import Vmcoreinfo
from ..context import Context
from ..kernel_code import LEAD, LONGEST, STRIDE, end_of, is_text, start_of
from ..memory import PAGE_SIZE
from ..self_placed import self_placed
from . import vmcoreinfo_memory

SOURCE = "vmcoreinfo-near-code"
#: How far apart samples are, and how many are taken: distributions' texts have 10 MiB at least,
#: those of microVMs' kernels but 2. The second sample of a text is a part of that away.
_SWEEPS = ((4 << 20, 8192), (1 << 20, 1024))
_NEIGHBOUR = 4
_LOW_IN = 4  # samples, one of which is from the end of RAM
#: Looked behind so many texts, so far behind the end of each: read-only data, BTF and .data of
#: distributions' images are 8 MiB at least, and it was met up to 33 MiB behind.
_MOST_TEXTS = 8
_BEHIND = range(8 << 20, 36 << 20)
_HIGH = 4 << 30
_WINDOW = 12 << 20  # bytes looked at there, or where RAM starts
_MOST_ZONES = 4  # ranges of RAM whose start is looked at
_RODATA = 16 << 20  # behind the text: symbols and page tables are in it
_PART = 4 << 20  # bytes read at once


def propose(context: Context) -> Iterator[Proposal]:
    """A proposal for each place's first VMCOREINFO that page tables bear out.

    It ends with that of a kernel that was moved to where a vCPU's program counter is.
    """
    if not context.sparing or context.arch.kernel_code is None:
        return
    places: dict[int, int] = {}
    for window in _windows(context, places):
        claims = vmcoreinfo_memory.claims(context, _texts(context, window), SOURCE)
        proposal = next((p for p in claims if p.text_vaddr is not None), None)
        if proposal is not None:
            yield proposal
            if proposal.kaslr_offset and _executed(context, proposal.text_vaddr):
                return
    for end, place in places.items():  # it is elsewhere: a newer kernel's symbols lead there
        start = start_of(context, place)
        starts = range(max(start - LEAD, 0), start + LEAD, context.arch.image_align)
        proposal = self_placed(context, starts, Range(end - STRIDE, end + _RODATA), SOURCE)
        if proposal is not None:
            yield proposal


def _executed(context: Context, text: int | None) -> bool:
    """Whether a vCPU's program counter is in a text that starts there."""
    return any(text is not None and text <= cpu.pc < text + LONGEST for cpu in context.cpus)


def _windows(context: Context, places: dict[int, int]) -> Iterator[Range]:
    """Where to look, the likeliest first; by its end ``places`` gets a place of each text met."""
    large = (part for part in context.dump.ram if part.size >= _WINDOW)
    for part in islice(large, _MOST_ZONES):
        start = _HIGH if part.start <= _HIGH < part.end else part.start
        yield Range(start, min(part.end, start + _WINDOW))
    for step, most in _SWEEPS:
        for count, place in enumerate(_places(context.dump.ram, step)):
            if count >= most or len(places) >= _MOST_TEXTS:
                return
            if is_text(context, place, step // _NEIGHBOUR):
                end = end_of(context, place)
                if end not in places:
                    places[end] = place
                    yield Range(end + _BEHIND.start, end + _BEHIND.stop)
        if places:
            break
    context.swept = len(places)


def _places(ram: tuple[Range, ...], step: int) -> Iterator[int]:
    """Samples of RAM from its start on, fewer from its end: boot loaders' copies are there."""
    places = [range(-(-part.start // step) * step, part.end, step) for part in ram]
    total = sum(map(len, places))
    upwards, downwards = chain(*places), chain(*(part[::-1] for part in places[::-1]))
    for count in range(total):
        yield next(downwards if count % _LOW_IN == _LOW_IN - 1 else upwards)


def _texts(context: Context, window: Range) -> Iterator[tuple[int, Vmcoreinfo]]:
    """The texts in ``window``, read as far as they are asked for."""
    for start in range(window.start, window.end, _PART):
        block = context.memory.block(start, min(_PART, window.end - start))
        for at in in_chunk(bytes(block), PAGE_SIZE, vmcoreinfo_memory.MARKS):
            yield from vmcoreinfo_memory.texts_at(context, start + at)
