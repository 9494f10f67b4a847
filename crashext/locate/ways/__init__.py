# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways of finding a kernel: each yields proposals; nothing is believed here.

The architecture's own ways (:meth:`crashext.arch.base.Architecture.ways`) come with the
cheap ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...arch.base import Proposal
from ..context import Context
from . import banner, image_header, page_tables, vmcoreinfo_memory, vmcoreinfo_note

Way = Callable[[Context], Iterator[Proposal]]


def _arch_ways(context: Context) -> Iterator[Proposal]:
    return context.arch.ways(context)


#: A handful of page reads each, whatever the guest's size.
CHEAP: tuple[Way, ...] = (vmcoreinfo_note.propose, page_tables.propose, _arch_ways)
#: These look at all of RAM.
FULL: tuple[Way, ...] = (banner.propose, vmcoreinfo_memory.propose)
#: What is tried where those found nothing that holds.
LAST: tuple[Way, ...] = (image_header.propose,)
