# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that a ppc64le kernel starts with (arch/powerpc/kernel/head_64.S).

Offsets are fixed: boot loaders and kexec use them. ``__run_at_load`` at 0x5c tells a kernel
that runs where it was loaded from one that has moved itself to physical address 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..base import Evidence, Proposal, Search, View
from .layout import PAGE_OFFSET

NAME = "entry"
MEANING = "the code that a kernel starts with is at physical address 0, where no program has memory"
_SIZE = 0x60
#: "run0", or 1 where kexec asks for it.
_RUN_AT_LOAD, _STAYS = 0x5C, (0x72756E30, 1)


def _is_entry(data: bytes | None) -> bool:
    """Whether a kernel starts so."""
    if data is None or len(data) < _SIZE:
        return False
    return int.from_bytes(data[_RUN_AT_LOAD:_SIZE], "little") in _STAYS


def propose(search: Search) -> Iterator[Proposal]:
    """A kernel at physical address 0, where all but capture kernels are."""
    if _is_entry(search.memory.get(0, _SIZE)):
        detail = "the kernel's entry is at 0x0"
        yield Proposal(NAME, PAGE_OFFSET, None, detail, text_vaddr=PAGE_OFFSET)


def check(search: Search, image: View) -> Evidence:
    """The image starts with it, at physical address 0: no program's memory is there."""
    text = image.text_vaddr
    data = None if text is None else search.memory.get(image.paddr(text), _SIZE)
    if text is None or data is None:
        return Evidence(NAME, "not in the dump")
    if not _is_entry(data):
        return Evidence(NAME, f"none at {image.paddr(text):#x}")
    return Evidence(NAME, f"at {image.paddr(text):#x}", True if text == PAGE_OFFSET else None)
