# SPDX-License-Identifier: GPL-3.0-or-later
"""From a kdump (capture) kernel to the kernel that crashed before it.

A capture kernel is started with ``elfcorehdr=`` on its command line, the physical address
of an ELF header that kexec prepared. It keeps it in ``elfcorehdr_addr`` until /proc/vmcore
has been set up, and marks it used then (kernel/crash_dump.c, fs/proc/vmcore.c). The header
describes the crashed kernel's memory: a segment for its text, and a note segment for its
VMCOREINFO (kexec-tools crashdump-elf.c, kernel/crash_core.c).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from ..arch.x86_64 import PMD_SIZE, START_KERNEL_MAP, is_image_vaddr
from ..vmcoreinfo import parse
from .candidate import Candidate, is_phys_base
from .claim import claimed
from .context import Context
from .image import Image
from .kernel_memory import kernel_text

SOURCE = "elfcorehdr"
_PHDR = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PT_NOTE = 1, 4
_MAX_PHDRS = 4096
#: kernel/crash_dump.c: ELFCORE_ADDR_MAX, no header given; ELFCORE_ADDR_ERR, used or unusable.
_NOT_GIVEN, _USED = (1 << 64) - 1, (1 << 64) - 2
_OPTION = re.compile(rb"(?:^| )elfcorehdr=(?:\w+@)?(0x[0-9a-fA-F]+|[0-9]+)([KMGkmg]?)")
_UNITS = {b"": 0, b"K": 10, b"M": 20, b"G": 30}
_MAX_COMMAND_LINE = 4096
_MAX_NOTE = 8192


def header_paddr(context: Context, image: Image) -> int | None:
    """Where ``image`` was told its predecessor's ELF header is; None if it is no capture kernel."""
    vaddr = image.vaddr("elfcorehdr_addr")
    value = None if vaddr is None else context.memory.u64(image.paddr(vaddr))
    if value is None or value in (0, _NOT_GIVEN):
        return None
    return _from_command_line(context, image) if value == _USED else value


def _from_command_line(context: Context, image: Image) -> int | None:
    vaddr = image.vaddr("saved_command_line")
    pointer = None if vaddr is None else context.memory.u64(image.paddr(vaddr))
    if not pointer:
        return None
    text = kernel_text(context, image, pointer, _MAX_COMMAND_LINE)
    match = _OPTION.search(text)
    if match is None:
        return None
    return int(match.group(1), 0) << _UNITS[match.group(2).upper()]


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
