# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each vCPU is, and which task it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..arch.base import Cpu
from ..kernel.cpus import RunningTask
from ..kernel.structs import Structs

_MOST_STACK = 1 << 16  # bytes: THREAD_SIZE is 64 KiB at most


class VcpuPlace(NamedTuple):
    """One vCPU.

    Attributes:
        number: QEMU's.
        mode: in words, as its architecture has it.
        pc: its program counter, virtual.
        symbol: the function and how far in it; None outside of the kernel's image.
        running: the CPU that it is and its task; None where that isn't known.
        by: what tells: its ``stack`` is the task's, or only its ``number``.
    """

    number: int
    mode: str
    pc: int
    symbol: str | None
    running: RunningTask | None
    by: str | None


def place_vcpus(
    cpus: Sequence[Cpu], running: Sequence[RunningTask], structs: Structs | None
) -> tuple[VcpuPlace, ...]:
    """Each vCPU whose state the dump has."""
    numbers = {each.cpu: each for each in running}
    places = []
    for cpu in cpus:
        task, by = _by_stack(cpu, running), "stack"
        if task is None:
            # QEMU and Linux count alike, unless CPUs were added in another order.
            task, by = numbers.get(cpu.index), "number"
        symbol = structs.symbols.at(cpu.pc) if structs else None
        places.append(VcpuPlace(cpu.index, cpu.mode, cpu.pc, symbol, task, by if task else None))
    return tuple(places)


def _by_stack(cpu: Cpu, running: Sequence[RunningTask]) -> RunningTask | None:
    stacks = [each for each in running if 0 <= cpu.sp - each.task.stack < _MOST_STACK]
    return max(stacks, key=lambda each: each.task.stack, default=None)
