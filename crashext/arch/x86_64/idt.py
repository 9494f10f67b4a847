# SPDX-License-Identifier: GPL-3.0-or-later
"""The interrupt descriptor table: vector 0 points at a known function of the kernel.

The handler's run-time address less its linked one is the KASLR offset; translated by
the vCPU's tables it gives phys_base. FRED kernels invalidate the IDT (limit 0), and
early boot and the kdump trampoline have tables of their own: then nothing is proposed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..base import MASK64, Evidence, Paging, Proposal, Search, View
from .layout import is_image_vaddr, is_kaslr_offset, is_phys_base, phys_base_of
from .registers import CpuState

SOURCE = "idt"
MEANING = "the first entry of the vCPU's interrupt table is the kernel's own handler"
#: Vector 0's handler: since 5.8 / before (arch/x86/kernel/idt.c).
HANDLERS = ("asm_exc_divide_error", "divide_error")
_GATE_SIZE = 16
#: vCPUs asked: a bound for guests with hundreds of them.
_MAX_CPUS = 24


def gate_handler(gate: bytes) -> int | None:
    """The handler address in a 64-bit interrupt gate (16 bytes), None if not present.

    Layout: SDM vol. 3, 6.14.1; the kernel's struct gate_struct.
    """
    low, _selector, bits, middle, high, _zero = struct.unpack("<HHHHII", gate)
    if not bits >> 15:
        return None
    return int(low | middle << 16 | high << 32)


def propose(search: Search) -> Iterator[Proposal]:
    """One proposal for each distinct IDT of the vCPUs."""
    seen: set[int] = set()
    for cpu in search.cpus[:_MAX_CPUS]:
        if not isinstance(cpu, CpuState) or cpu.paging is None:
            continue
        if cpu.idt_limit >= _GATE_SIZE and cpu.idt_base not in seen:
            seen.add(cpu.idt_base)
            proposal = _of_cpu(search, cpu, cpu.paging)
            if proposal is not None:
                yield proposal


def _of_cpu(search: Search, cpu: CpuState, paging: Paging) -> Proposal | None:
    """What the IDT of one vCPU says; None if it can't be read or is no kernel's."""
    for root in cpu.roots(search.ram_end):
        tables = search.tables(root, paging)
        idt_paddr = tables.translate(cpu.idt_base)
        gate = None if idt_paddr is None else search.memory.get(idt_paddr, _GATE_SIZE)
        handler = None if gate is None else gate_handler(gate)
        if handler is None or not is_image_vaddr(handler):
            continue
        handler_paddr = tables.translate(handler)
        if handler_paddr is None:
            continue
        voffset = (handler - handler_paddr) & MASK64
        if is_phys_base(phys_base_of(voffset), search.ram_end):
            return Proposal(
                SOURCE,
                voffset,
                _kaslr_offset(handler, search.linked(*HANDLERS)),
                f"vCPU {cpu.number} IDT {cpu.idt_base:#x}: vector 0 is {handler:#x}, "
                f"at {handler_paddr:#x}",
                cpu=cpu.number,
                paging=paging,
            )
    return None


def _kaslr_offset(handler: int, linked: int | None) -> int | None:
    if linked is None:
        return None
    offset = handler - linked
    return offset if is_kaslr_offset(offset) else None


def check(search: Search, image: View) -> Evidence:
    """The interrupt table of the image holds its own divide-error handler in vector 0."""
    table, handler = image.vaddr("idt_table"), image.vaddr(*HANDLERS)
    if table is None or handler is None:
        return Evidence(SOURCE, "symbol not known")
    gate = search.memory.get(image.paddr(table), _GATE_SIZE)
    found = None if gate is None else gate_handler(gate)
    if found is None:
        return Evidence(SOURCE, "vector 0 not set or not in the dump (early boot, FRED)")
    # A kernel that has not reached idt_setup_traps still has its early handlers there.
    return Evidence(SOURCE, f"vector 0 is {found:#x}", True if found == handler else None)
