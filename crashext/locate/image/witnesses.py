# SPDX-License-Identifier: GPL-3.0-or-later
"""vCPUs whose notes name no page tables: does their state fit into this image?

Some architectures' notes have general registers only. A vCPU in kernel mode then bears an
image out where the image's own page tables map its program counter to the image's text,
and its stack pointer to memory at all. No program of the guest sets either, and what is
at an address that KASLR drew no program knows; two kernels that were not moved share their
addresses, so this alone proves none.
"""

from __future__ import annotations

from ...arch.base import AddressSpace, Cpu, Evidence
from ..context import Context
from .image import Image, vcpus
from .kernel_memory import own_tables

NAME = "vcpu_registers"
#: vCPUs looked at: a bound for guests with hundreds of them.
_MAX_CPUS = 24
#: Bytes of the largest kernels' text.
_MOST = 64 << 20


def check(context: Context, image: Image) -> Evidence:
    """Find the vCPUs that run in ``image``, and note them in it."""
    tables = own_tables(context, image)
    image.witnesses = (
        []
        if tables is None
        else [c.number for c in context.cpus[:_MAX_CPUS] if _runs_in(image, tables, c)]
    )
    if image.witnesses:
        executing = f"executing its text, on a stack that it maps: {vcpus(image.witnesses)}"
        return Evidence(NAME, executing, True)
    return Evidence(NAME, "no vCPU is seen to execute its text")


def _runs_in(image: Image, tables: AddressSpace, cpu: Cpu) -> bool:
    start = image.vaddr("_stext") or image.text_vaddr
    if start is None or not start <= cpu.pc < _text_end(image, start):
        return False
    return tables.translate(cpu.pc) == image.paddr(cpu.pc) and tables.translate(cpu.sp) is not None


def _text_end(image: Image, start: int) -> int:
    """Where the text that starts at ``start`` ends, at the latest.

    The kernel's own table is behind it, or far before; where addresses tell physical ones
    another image's text may follow.
    """
    known = (image.vaddr("_etext"), image.vaddr(*image.arch.top_tables))
    return min((end for end in known if end is not None and end > start), default=start + _MOST)
