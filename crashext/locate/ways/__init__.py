# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways of finding a kernel: each yields proposals; nothing is believed here.

The architecture's own ways (:meth:`crashext.arch.base.Architecture.ways`) come with the
cheap ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

from ...arch.base import Proposal
from ..context import OWN, Context
from . import banner, code, image_header, near_code, page_tables, vmcoreinfo_memory, vmcoreinfo_note


class Way(NamedTuple):
    """One way: the ``source`` that its proposals name, and what makes them."""

    source: str
    propose: Callable[[Context], Iterator[Proposal]]


def _arch_ways(context: Context) -> Iterator[Proposal]:
    return context.arch.ways(context)


def _of(module: ModuleType) -> Way:
    return Way(module.SOURCE, module.propose)


#: A handful of page reads each, whatever the guest's size.
CHEAP = (_of(vmcoreinfo_note), _of(page_tables), Way(OWN, _arch_ways))
#: These look at all of RAM.
FULL = (_of(banner), _of(vmcoreinfo_memory))
#: A part of RAM, where all of it is dear to read: before those.
SPARING = _of(near_code)
#: What is tried where those found nothing that holds.
LAST = (_of(image_header), _of(code))
