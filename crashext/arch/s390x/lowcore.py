# SPDX-License-Identifier: GPL-3.0-or-later
"""s390x: what the kernel leaves at absolute address 0 for who makes a dump.

The lowcore is the CPU's page of fixed locations; nothing but the kernel (and the machine)
writes the one at address 0. Since 3.x ``vmcore_info`` in it is the address of the VMCOREINFO
note (arch/s390/include/asm/lowcore.h, kernel/setup.c).
"""

from __future__ import annotations

from ...vmcoreinfo import Vmcoreinfo, parse
from ..base import MASK64, Evidence, Memory, Paging, Proposal, Search, View
from . import layout

SOURCE = "lowcore"
MEANING = "the page at absolute address 0, which only the kernel writes, leads to a VMCOREINFO"
#: struct lowcore: vmcore_info. Until the note is there it is the KASLR offset with bit 0 set.
_VMCORE_INFO = 0xE0C
#: Nhdr and the name, padded: kernel/vmcore_info.c makes one note in a page of its own.
_HEAD, _NAME, _MAX_TEXT = 24, b"VMCOREINFO\0", 4096


def vmcoreinfo(memory: Memory) -> tuple[int, Vmcoreinfo] | None:
    """The place and content of the text that the lowcore leads to; None where there is none."""
    at = memory.u64(_VMCORE_INFO)
    if not at or at & 3 or at >> 53:
        return None
    head, size = memory.get(at, _HEAD), memory.u32(at + 4)
    if head is None or size is None or not head[12:].startswith(_NAME):
        return None
    text = memory.get(at + _HEAD, min(size, _MAX_TEXT))
    info = None if text is None else parse(text)
    return None if info is None or info.osrelease is None else (at + _HEAD, info)


def propose(search: Search) -> Proposal | None:
    """What that VMCOREINFO states, tested against the page tables that it names."""
    found = vmcoreinfo(search.memory)
    if found is None:
        return None
    at, info = found
    voffset = layout.said_voffset(info)
    if voffset is None or not layout.is_voffset(voffset, search.ram_end):
        return None
    offset, stext = info.kernel_offset, info.symbol("_stext")
    shape = None if stext is None else _mapped(search, info, stext, voffset)
    return Proposal(
        SOURCE,
        voffset,
        offset if offset is not None and layout.is_kaslr_offset(offset) else None,
        f"vmcore_info leads to a VMCOREINFO at {at:#x}; "
        + ("its page tables bear it out" if shape else "no page tables bear it out"),
        text_vaddr=stext if shape else None,
        paging=shape,
        info=info,
    )


def _mapped(search: Search, info: Vmcoreinfo, stext: int, voffset: int) -> Paging | None:
    """The shape of the tables that the text names, where they map the image as it says."""
    table = info.symbol("swapper_pg_dir")
    if table is None or table % layout.PAGE_SIZE or stext % layout.IMAGE_ALIGN:
        return None
    for paging in layout.KERNEL_PAGINGS:
        tables = search.tables((table - voffset) & MASK64, paging)
        if tables.translate(stext) == (stext - voffset) & MASK64:
            return paging
    return None


def check(search: Search, image: View) -> Evidence:
    """The lowcore leads to a VMCOREINFO of the image.

    A capture kernel has exchanged its lowcore with that of the kernel that crashed: one
    that leads elsewhere refutes nothing.
    """
    found = vmcoreinfo(search.memory)
    if found is None:
        return Evidence(SOURCE, "leads to no VMCOREINFO (early boot, or not in the dump)")
    at, info = found
    same = layout.said_voffset(info) == image.voffset and info.symbol("_stext") == image.text_vaddr
    return Evidence(SOURCE, f"vmcore_info leads to the VMCOREINFO at {at:#x}", same or None)
