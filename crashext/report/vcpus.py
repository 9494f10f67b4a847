# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each vCPU is, and which task it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..arch.base import Cpu
from ..kernel.cpus import RunningTask
from ..kernel.structs import Structs
from ..locate import Found

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
        other_kernel: the id of the kernel that it runs in, where that is another one: addresses
            mean other things there.
    """

    number: int
    mode: str
    pc: int
    symbol: str | None
    running: RunningTask | None
    by: str | None
    other_kernel: str | None = None


def place_vcpus(
    found: Found, running: Sequence[RunningTask], structs: Structs | None
) -> tuple[VcpuPlace, ...]:
    """Each vCPU whose state the dump has; ``running`` and ``structs`` are of the kernel found."""
    numbers = {each.cpu: each for each in running}
    others = _others(found)
    places = []
    for cpu in found.context.cpus if found.context else ():
        if cpu.number in others:
            kernel = others[cpu.number]
            places.append(VcpuPlace(cpu.number, cpu.mode, cpu.pc, None, None, None, kernel))
            continue
        task, by = _by_stack(cpu, running), "stack"
        if task is None:
            # QEMU and Linux count alike, unless CPUs were added in another order.
            task, by = numbers.get(cpu.number), "number"
        symbol = structs.symbols.at(cpu.pc) if structs else None
        places.append(VcpuPlace(cpu.number, cpu.mode, cpu.pc, symbol, task, by if task else None))
    return tuple(places)


def _others(found: Found) -> dict[int, str]:
    """The kernel that a vCPU runs in, of those that run in another one than the one found."""
    ours = set(found.image.running if found.image else ())
    others = (image for image in found.images if image is not found.image)
    return {cpu: image.id for image in others for cpu in image.running if cpu not in ours}


def _by_stack(cpu: Cpu, running: Sequence[RunningTask]) -> RunningTask | None:
    stacks = [each for each in running if 0 <= cpu.sp - each.task.stack < _MOST_STACK]
    return max(stacks, key=lambda each: each.task.stack, default=None)
