# SPDX-License-Identifier: GPL-3.0-or-later
"""The vCPUs' own page tables: where CR3's tables map the kernel image.

Every mapping of the image gives the same phys_base, whatever its address, so the
runs found in the 1 GiB window vote by size; a stray 4 KiB page of a module can't win.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..arch.x86_64 import START_KERNEL_MAP, CpuState
from ..arch.x86_64_paging import Mapping
from ..symbols.vmlinux import Vmlinux
from .candidate import Candidate, is_kaslr_offset, is_phys_base
from .context import Context

SOURCE = "page-tables"
#: Page-table roots looked at: a bound for guests with hundreds of vCPUs.
MAX_ROOTS = 24


def propose(context: Context) -> Iterator[Candidate]:
    """One candidate for each vCPU whose tables map a kernel image."""
    seen: set[int] = set()
    for cpu in context.cpus:
        if len(seen | {cpu.cr3}) > MAX_ROOTS:
            break
        seen.add(cpu.cr3)
        candidate = of_cpu(context, cpu)
        if candidate is not None:
            yield candidate


def of_cpu(context: Context, cpu: CpuState) -> Candidate | None:
    """What the tables of one vCPU say; None if they map no kernel image."""
    root = kernel_root(context, cpu)
    if root is None:
        return None
    image = image_runs(context.image_mappings(root, cpu.levels), context.ram_end)
    start = image[0].vaddr
    # Tables of early boot map the window from its beginning: no word on _text then.
    text_vaddr = start if start > START_KERNEL_MAP else None
    return Candidate(
        SOURCE,
        image[0].phys_base,
        _kaslr_offset(text_vaddr, context.vmlinux),
        f"vCPU {cpu.index} CR3 {cpu.cr3:#x} ({cpu.levels} levels) maps "
        f"{start:#x} to {image[0].paddr:#x}",
        cpu=cpu.index,
        text_vaddr=text_vaddr,
        levels=cpu.levels,
    )


def kernel_root(context: Context, cpu: CpuState) -> int | None:
    """The top-level table of ``cpu`` that maps most of a kernel image, or None."""
    if not cpu.paging:
        return None

    def mapped(root: int) -> int:
        mappings = context.image_mappings(root, cpu.levels)
        return sum(run.size for run in image_runs(mappings, context.ram_end))

    best = max(context.roots(cpu), key=mapped)
    return best if mapped(best) else None


def image_runs(mappings: Sequence[Mapping], ram_end: int) -> list[Mapping]:
    """Those mappings that agree on the phys_base which maps most, ascending."""
    votes: Counter[int] = Counter()
    for run in mappings:
        if run.paddr < ram_end and is_phys_base(run.phys_base, ram_end):
            votes[run.phys_base] += run.size
    if not votes:
        return []
    winner = votes.most_common(1)[0][0]
    return [run for run in mappings if run.phys_base == winner]


def _kaslr_offset(text_vaddr: int | None, vmlinux: Vmlinux | None) -> int | None:
    linked = vmlinux.first("_text", "_stext") if vmlinux is not None else None
    if text_vaddr is None or linked is None:
        return None
    # The mapping starts at the 2 MiB entry that holds _text.
    offset = text_vaddr - (linked & ~(0x200000 - 1))
    return offset if is_kaslr_offset(offset) else None
