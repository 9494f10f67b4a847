# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dump's own header says about phys_base, and whether it means anything."""

from __future__ import annotations

from ..arch import architecture_of
from ..arch.base import MASK64
from ..dumps.base import Dump
from ..dumps.elf import ElfDump
from ..text import hex64, signed64
from ..vmcoreinfo import parse
from .from_elf import loads
from .from_kdump import Kdump
from .result import HeaderPhysBase


def header_phys_base(dump: Dump, *, from_qemu: bool) -> HeaderPhysBase:
    """Judge the header's claim; ``from_qemu`` where QEMU wrote the file or its headers."""
    if isinstance(dump, ElfDump):
        return _from_segments(dump)
    if isinstance(dump, Kdump):
        return _from_sub_header(dump, from_qemu)
    return HeaderPhysBase(None, "absent", "this format has no such field")


def _from_segments(dump: ElfDump) -> HeaderPhysBase:
    """A segment with a kernel-image address tells it (paging=true, /proc/vmcore)."""
    arch = architecture_of(dump.arch)
    for segment in loads(dump):
        if arch is None or not arch.is_image_vaddr(segment.p_vaddr):
            continue
        value = arch.phys_base((segment.p_vaddr - segment.p_paddr) & MASK64)
        if value is not None and value % arch.image_align == 0:
            return HeaderPhysBase(value, "claimed", "from a segment of the kernel image")
    return HeaderPhysBase(None, "absent", "no segment has a kernel address")


def _from_sub_header(dump: Kdump, from_qemu: bool) -> HeaderPhysBase:
    raw = dump.header.phys_base
    value = signed64(raw)
    arch = architecture_of(dump.arch)
    if arch is None or arch.phys_base(0) is None:
        return _other_arch(dump, value, from_qemu)
    noted = parse(dump.vmcoreinfo).phys_base if dump.vmcoreinfo else None
    if noted is not None and noted == value:
        return HeaderPhysBase(value, "claimed", "VMCOREINFO says the same")
    if value == 0:
        return HeaderPhysBase(0, "placeholder", "a placeholder, it means nothing")
    step = arch.image_align
    meant = hex_read_decimal(value)
    if meant is not None and (meant == noted or (from_qemu and meant % step == 0)):
        text = f"VMCOREINFO's decimal {meant} misread as hex, {hex64(meant)} was meant"
        return HeaderPhysBase(value, "vmcoreinfo_misread", text, meant)
    if noted is not None:
        text = f"contradicts VMCOREINFO, which has {hex64(noted)}"
        return HeaderPhysBase(value, "contradicted", text)
    return HeaderPhysBase(value, "claimed", "the writer's claim, not checked")


def _other_arch(dump: Kdump, value: int, from_qemu: bool) -> HeaderPhysBase:
    if from_qemu and dump.ram and value == dump.ram[0].start:
        return HeaderPhysBase(value, "ram_start", "the start of RAM, not of the kernel")
    if value == 0:
        return HeaderPhysBase(0, "placeholder", "a placeholder, it means nothing")
    return HeaderPhysBase(value, "claimed", "the writer's claim, not checked")


def hex_read_decimal(value: int) -> int | None:
    """Undo QEMU's misreading: the hex digits of ``value`` as the decimal number they were.

    QEMU (dump/dump.c, ``dump_init``) parses the text of ``NUMBER(phys_base)``, which the
    kernel prints with %ld, in base 16. None where the digits can't be a decimal number.
    """
    digits = f"{abs(value):x}"
    if not digits.isdecimal():
        return None
    return -int(digits) if value < 0 else int(digits)
