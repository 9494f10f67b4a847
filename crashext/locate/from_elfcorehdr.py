# SPDX-License-Identifier: GPL-3.0-or-later
"""From a kdump (capture) kernel to the kernel that crashed before it.

A capture kernel is started with ``elfcorehdr=``; its variable ``elfcorehdr_addr`` keeps
the physical address of an ELF header that kexec prepared (kernel/crash_dump.c). The
header describes the crashed kernel's memory: a segment for its text, and a note segment
for its VMCOREINFO (kexec-tools crashdump-elf.c, kernel/crash_core.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..arch.x86_64 import PMD_SIZE, START_KERNEL_MAP, is_image_vaddr
from ..vmcoreinfo import parse
from .candidate import Candidate, is_phys_base
from .claim import claimed
from .context import Context
from .image import Image

SOURCE = "elfcorehdr"
_PHDR = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PT_NOTE = 1, 4
_MAX_PHDRS = 4096
#: kernel/crash_dump.c: no header given, and a header that was unusable.
_NO_HEADER = (0, (1 << 64) - 1, (1 << 64) - 2)
_MAX_NOTE = 8192


def header_paddr(context: Context, image: Image) -> int | None:
    """Where ``image`` was told its predecessor's ELF header is; None if it is no capture kernel."""
    vaddr = image.vaddr("elfcorehdr_addr")
    value = None if vaddr is None else context.memory.u64(image.paddr(vaddr))
    return value if value is not None and value not in _NO_HEADER else None


def propose(context: Context, image: Image) -> Iterator[Candidate]:
    """Candidates for the kernel that crashed before the capture kernel ``image``."""
    start = header_paddr(context, image)
    if start is None:
        return
    for kind, _flags, offset, vaddr, paddr, filesz, _memsz, _align in _segments(context, start):
        if kind == _PT_LOAD and is_image_vaddr(vaddr):
            phys_base = paddr - (vaddr - START_KERNEL_MAP)
            if is_phys_base(phys_base, context.ram_end):
                yield Candidate(
                    SOURCE,
                    phys_base,
                    None,
                    f"the header at {start:#x} has kernel text {vaddr:#x} at {paddr:#x}",
                    text_vaddr=vaddr & ~(PMD_SIZE - 1) if vaddr > START_KERNEL_MAP else None,
                )
        elif kind == _PT_NOTE and offset and filesz <= _MAX_NOTE:
            yield from _from_note(context, paddr)


def _from_note(context: Context, paddr: int) -> Iterator[Candidate]:
    """What a VMCOREINFO note in guest memory claims; nothing for other notes."""
    head = context.memory.get(paddr, 24)
    if head is None or head[12:22] != b"VMCOREINFO":
        return
    size = min(int.from_bytes(head[4:8], "little"), _MAX_NOTE)
    text = context.memory.get(paddr + 24, size)
    candidate = None if text is None else claimed(context, parse(text), SOURCE, f"at {paddr:#x}")
    if candidate is not None:
        yield candidate


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
