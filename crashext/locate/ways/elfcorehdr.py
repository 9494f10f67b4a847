# SPDX-License-Identifier: GPL-3.0-or-later
"""From a kdump (capture) kernel to the kernel that crashed before it.

A capture kernel is started with ``elfcorehdr=`` on its command line, the physical address
of an ELF header that kexec prepared. It keeps it in ``elfcorehdr_addr`` until /proc/vmcore
has been set up, and marks it used then (kernel/crash_dump.c, fs/proc/vmcore.c). The header
describes the crashed kernel's memory: a segment for its text, and a note segment for its
VMCOREINFO (kexec-tools crashdump-elf.c, kernel/crash_core.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ...arch.base import MASK64, Proposal
from ...vmcoreinfo import parse
from ..context import Context
from .claim import claimed

SOURCE = "elfcorehdr"
_PHDR = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PT_NOTE = 1, 4
_MAX_PHDRS = 4096
_MAX_NOTE = 8192


def propose(context: Context, start: int) -> Iterator[Proposal]:
    """What the header at physical ``start`` says of the kernel that crashed."""
    for kind, _flags, offset, vaddr, paddr, filesz, _memsz, _align in _segments(context, start):
        if kind == _PT_LOAD and context.arch.is_image_vaddr(vaddr):
            voffset = (vaddr - paddr) & MASK64
            if context.plausible(voffset):
                begins = context.arch.window_starts_image(vaddr)
                yield Proposal(
                    SOURCE,
                    voffset,
                    None,
                    f"the header at {start:#x} has kernel text {vaddr:#x} at {paddr:#x}",
                    text_vaddr=context.image_start(vaddr) if begins else None,
                )
        elif kind == _PT_NOTE and offset and filesz <= _MAX_NOTE:
            yield from _from_note(context, paddr)


def _from_note(context: Context, paddr: int) -> Iterator[Proposal]:
    """What a VMCOREINFO note in guest memory claims; nothing for other notes."""
    head = context.memory.get(paddr, 24)
    if head is None or head[12:22] != b"VMCOREINFO":
        return
    size = min(int.from_bytes(head[4:8], "little"), _MAX_NOTE)
    text = context.memory.get(paddr + 24, size)
    proposal = None if text is None else claimed(context, parse(text), SOURCE, paddr)
    if proposal is not None:
        yield proposal


def _segments(context: Context, start: int) -> Iterator[tuple[int, ...]]:
    header = context.memory.get(start, 64)
    if header is None or header[:6] != b"\x7fELF\x02\x01":
        return
    (offset,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    if size != _PHDR.size:
        return
    for index in range(min(count, _MAX_PHDRS)):
        data = context.memory.get(start + offset + index * size, size)
        if data is None:
            return
        yield _PHDR.unpack(data)
