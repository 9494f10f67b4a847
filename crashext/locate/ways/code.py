# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding images by their code, and having them place themselves.

The last way, for a kernel without VMCOREINFO whose first page, which boot loaders know it by,
has been freed: its text is told by its instructions (:mod:`crashext.locate.kernel_code`), and
the image tells the rest (:mod:`crashext.locate.self_placed`).
"""

from __future__ import annotations

from collections.abc import Iterator

from ...arch.base import Proposal
from ...dumps.base import Range
from ..context import Context
from ..kernel_code import LEAD, texts
from ..self_placed import MOST, self_placed

SOURCE = "kernel-code"
_MOST_TEXTS = 8  # of which up to 512 MiB are read


def propose(context: Context) -> Iterator[Proposal]:
    """A proposal for each text whose own tables bear it out."""
    if context.arch.kernel_code is None:
        return
    for seen, text in enumerate(texts(context)):
        if seen >= _MOST_TEXTS:
            context.warn("more kernels' code in memory than is looked into")
            context.bounded = True
            return
        start = max(text.start - LEAD, 0)
        starts = range(start, text.start + LEAD, context.arch.image_align)
        window = Range(start, min(start + MOST, context.ram_end))
        proposal = self_placed(context, starts, window, SOURCE)
        if proposal is not None:
            yield proposal
