# SPDX-License-Identifier: GPL-3.0-or-later
"""The vCPUs' own page tables: where they map the kernel image.

A kernel image is mapped linearly, from its first page to its last: every mapping of it
gives the same voffset, and nothing else is mapped in between. A stray page of a module
that shares the window can't outvote it; tables that map other memory into the middle of
an image are no sound kernel's, and what they prove is said to be partial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...arch.base import Cpu, Proposal, Run
from ..context import Context

SOURCE = "page-tables"
#: Page-table roots looked at: a bound for guests with hundreds of vCPUs.
MAX_ROOTS = 24
#: Placements that one contradictory table proposes, the largest first.
_MAX_PLACEMENTS = 4


def propose(context: Context) -> Iterator[Proposal]:
    """A proposal for each vCPU whose tables map a kernel image."""
    seen: set[int] = set()
    for cpu in context.cpus:
        roots = set(context.roots(cpu)[:1])
        if len(seen | roots) > MAX_ROOTS:
            break
        seen |= roots
        yield from of_cpu(context, cpu)


def of_cpu(context: Context, cpu: Cpu) -> Iterator[Proposal]:
    """What the tables of one vCPU say: one placement, or all that contradict each other."""
    root = kernel_root(context, cpu)
    if root is None or cpu.paging is None:
        return
    mapped = context.image_runs(root, cpu.paging)
    placements = image_placements(context, mapped)
    whole = is_whole(mapped, placements[0])
    for runs in placements[:1] if whole else placements[:_MAX_PLACEMENTS]:
        yield _proposal(context, cpu, runs, mapped, whole=whole)


def _proposal(
    context: Context, cpu: Cpu, runs: list[Run], mapped: Sequence[Run], *, whole: bool
) -> Proposal:
    start = runs[0].vaddr
    text_vaddr = start if context.arch.window_starts_image(start) else None
    registers = ", ".join(f"{name.upper()} {value:#x}" for name, value in
                          list(cpu.registers.items())[1:])  # fmt: skip
    levels = 0 if cpu.paging is None else cpu.paging.levels
    detail = f"vCPU {cpu.number} {registers} ({levels} levels) maps {start:#x} to "
    detail += f"{runs[0].paddr:#x}"
    if not whole:
        other = next(run for run in mapped if run.voffset != runs[0].voffset)
        detail += f", but {other.vaddr:#x} to {other.paddr:#x}"
    return Proposal(
        SOURCE,
        runs[0].voffset,
        _kaslr_offset(context, text_vaddr) if whole else None,
        detail,
        cpu=cpu.number,
        text_vaddr=text_vaddr if whole else None,
        paging=cpu.paging,
        whole=whole,
    )


def kernel_root(context: Context, cpu: Cpu) -> int | None:
    """The top-level table of ``cpu`` that maps most of a kernel image, or None."""
    roots, paging = context.roots(cpu), cpu.paging
    if paging is None or not roots:
        return None

    def mapped(root: int) -> int:
        placements = image_placements(context, context.image_runs(root, paging))
        return sum(run.size for run in placements[0]) if placements else 0

    best = max(roots, key=mapped)
    return best if mapped(best) else None


def image_placements(context: Context, mapped: Sequence[Run]) -> list[list[Run]]:
    """The plausible placements, each with its runs, ascending; the one that maps most first."""
    placements: dict[int, list[Run]] = {}
    for run in mapped:
        placements.setdefault(run.voffset, []).append(run)
    sized = sorted((-sum(run.size for run in runs), v) for v, runs in placements.items())
    return [
        placements[voffset]
        for _, voffset in sized
        if context.plausible(voffset)
        and any(run.paddr < context.ram_end for run in placements[voffset])
    ]


def image_runs(context: Context, mapped: Sequence[Run]) -> list[Run]:
    """The runs of the placement that maps most; none where nothing plausible is mapped."""
    placements = image_placements(context, mapped)
    return placements[0] if placements else []


def is_whole(mapped: Sequence[Run], runs: list[Run]) -> bool:
    """True when nothing else is mapped between the first and the last of ``runs``."""
    start, end = runs[0].vaddr, runs[-1].end
    return all(
        run.voffset == runs[0].voffset for run in mapped if start <= run.vaddr < end
    ) and not _reaches_into(mapped, runs)


def _reaches_into(mapped: Sequence[Run], runs: list[Run]) -> bool:
    """True for another large mapping right at an edge of the image: its end bent elsewhere."""
    size = max(run.size for run in runs)
    edges = {runs[0].vaddr, runs[-1].end}
    return any(
        run.size >= size // 8 and run.voffset != runs[0].voffset
        for run in mapped
        if {run.vaddr, run.end} & edges
    )


def _kaslr_offset(context: Context, text_vaddr: int | None) -> int | None:
    linked = context.linked(*context.arch.start_symbols)
    if text_vaddr is None or linked is None:
        return None
    # The mapping starts at the aligned block that holds _text.
    offset = text_vaddr - context.image_start(linked)
    return offset if context.arch.is_kaslr_offset(offset) else None
