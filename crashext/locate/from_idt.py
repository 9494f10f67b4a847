# SPDX-License-Identifier: GPL-3.0-or-later
"""The interrupt descriptor table: vector 0 points at a known function of the kernel.

The handler's run-time address less its linked one is the KASLR offset; translated by
the vCPU's tables it gives phys_base. FRED kernels invalidate the IDT (limit 0), and
early boot and the kdump trampoline have tables of their own: then nothing is proposed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..arch.x86_64 import START_KERNEL_MAP, CpuState, gate_handler, is_image_vaddr
from ..symbols.vmlinux import Vmlinux
from .candidate import Candidate, is_kaslr_offset, is_phys_base
from .context import Context
from .from_page_tables import MAX_ROOTS

SOURCE = "idt"
#: Vector 0's handler: since 5.8 / before (arch/x86/kernel/idt.c).
HANDLERS = ("asm_exc_divide_error", "divide_error")
_GATE_SIZE = 16


def propose(context: Context) -> Iterator[Candidate]:
    """One candidate for each distinct IDT of the vCPUs."""
    seen: set[int] = set()
    for cpu in context.cpus[:MAX_ROOTS]:
        if cpu.paging and cpu.idt_limit >= _GATE_SIZE and cpu.idt_base not in seen:
            seen.add(cpu.idt_base)
            candidate = of_cpu(context, cpu)
            if candidate is not None:
                yield candidate


def of_cpu(context: Context, cpu: CpuState) -> Candidate | None:
    """What the IDT of one vCPU says; None if it can't be read or is no kernel's."""
    for root in context.roots(cpu):
        tables = context.tables(root, cpu.levels)
        idt_paddr = tables.translate(cpu.idt_base)
        gate = None if idt_paddr is None else context.memory.get(idt_paddr, _GATE_SIZE)
        handler = None if gate is None else gate_handler(gate)
        if handler is None or not is_image_vaddr(handler):
            continue
        handler_paddr = tables.translate(handler)
        if handler_paddr is None:
            continue
        phys_base = handler_paddr - (handler - START_KERNEL_MAP)
        if is_phys_base(phys_base, context.ram_end):
            return Candidate(
                SOURCE,
                phys_base,
                _kaslr_offset(handler, context.vmlinux),
                f"vCPU {cpu.index} IDT {cpu.idt_base:#x}: vector 0 is {handler:#x}, "
                f"at {handler_paddr:#x}",
                cpu=cpu.index,
                levels=cpu.levels,
            )
    return None


def _kaslr_offset(handler: int, vmlinux: Vmlinux | None) -> int | None:
    linked = None if vmlinux is None else vmlinux.first(*HANDLERS)
    if linked is None:
        return None
    offset = handler - linked
    return offset if is_kaslr_offset(offset) else None
