# SPDX-License-Identifier: GPL-3.0-or-later
"""Where kernels' code is in memory, by instructions that programs may not execute.

Such an instruction (:attr:`crashext.arch.base.Architecture.kernel_code`) stands in a kernel's
text every few hundred bytes. So samples of memory tell where texts are, and that elsewhere
there is none. It tells nothing of what else is there: root can load anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain, islice

from ..dumps.base import Range
from .context import Context
from .memory import PAGE_SIZE

#: A sample of memory. Most of a text's have 10 to 70 such instructions, other memory has none.
_SAMPLE = 16 << 10
_FEWEST = 4
#: How a text's ends are looked for: in such steps, over gaps of that, no further than that.
STRIDE, _GAP = 1 << 19, 2 << 20
MOST_SAMPLES = 1 << 14
#: Bytes between two samples: the texts of microVMs' kernels have but 2 MiB, others 10 and more.
_STEP, _LONGEST_STEP = 1 << 20, 8 << 20
LONGEST = 64 << 20
LEAD = 1 << 20
"""What may lie between the image's start and the first sample that is code, at most."""


def is_code(context: Context, place: int) -> bool:
    """Whether the sample at physical ``place`` is a kernel's code."""
    pattern, source = context.arch.kernel_code, context.sparing
    if pattern is None or place < 0:
        return False
    if source is None:
        page = context.memory.get(place, PAGE_SIZE)  # of other memory it is enough
        if page is None or not pattern.search(page):
            return False
    with nullcontext() if source is None else source.scattered():
        sample = context.memory.block(place, _SAMPLE)
    return len(list(islice(pattern.finditer(sample), _FEWEST))) == _FEWEST


def is_text(context: Context, place: int, distance: int) -> bool:
    """Whether a kernel's text is at ``place``, and ``distance`` bytes from it on one side.

    Modules in an initrd are code, too, but shorter.
    """
    return is_code(context, place) and any(
        is_code(context, place + way) for way in (distance, -distance)
    )


def end_of(context: Context, place: int) -> int:
    """Where the text that has ``place`` ends, or up to ``STRIDE`` bytes further up."""
    return _last(context, place, STRIDE) + STRIDE


def start_of(context: Context, place: int) -> int:
    """Where it starts, or up to ``STRIDE`` bytes further down."""
    return max(_last(context, place, -STRIDE) - STRIDE, 0)


def _last(context: Context, place: int, stride: int) -> int:
    """The last sample of the text that has ``place``, upwards or downwards."""
    last = place
    for at in range(place, place + LONGEST * (1 if stride > 0 else -1), stride):
        if is_code(context, at):
            last = at
        elif abs(at - last) > _GAP:
            break
    return last


def texts(context: Context) -> Iterator[Range]:
    """Texts, ascending; each up to a stride larger than it is.

    In a guest of up to 16 GiB they are found from 2 MiB on, in larger ones from 16 MiB; of one
    beyond 128 GiB the lowest and the highest memory is sampled.
    """
    places, step = _places(context.dump.stored)
    end = 0
    for place in places:
        if place >= end and is_text(context, place, step // 2):
            end = end_of(context, place)
            yield Range(start_of(context, place), end)


def _places(stored: Sequence[Range]) -> tuple[Iterable[int], int]:
    """Where to sample, and the distance in between."""
    step = _STEP
    while True:
        places = [range(-(-part.start // step) * step, part.end, step) for part in stored]
        total = sum(map(len, places))
        if total <= MOST_SAMPLES:
            return chain(*places), step
        if step == _LONGEST_STEP:
            half = MOST_SAMPLES // 2
            low, high = chain(*places), chain(*(part[::-1] for part in places[::-1]))
            return [*islice(low, half), *[*islice(high, half)][::-1]], step
        step *= 2
