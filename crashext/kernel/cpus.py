# SPDX-License-Identifier: GPL-3.0-or-later
"""What each CPU of a located kernel runs: ``runqueues`` (kernel/sched/core.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .structs import NotThere, Structs
from .tasks import Task, read_task

MOST_CPUS = 8192  # NR_CPUS of the largest configurations


class RunningTask(NamedTuple):
    """A CPU, by the kernel's number, and the task that it runs.

    One that is not online stands where it was stopped, as others do when one panics.
    """

    cpu: int
    online: bool
    task: Task


def running_tasks(structs: Structs) -> Iterator[RunningTask]:
    """The task on each CPU that is there, by its run queue.

    Raises:
        NotThere: the kernel's run queues can't be found.
    """
    queue = structs.symbol("runqueues")
    current = structs.offset("rq", "curr")
    online = set(_cpus(structs, "__cpu_online_mask"))
    for cpu in _cpus(structs, "__cpu_present_mask"):
        task = structs.pointer(_area(structs, cpu) + queue + current)
        yield RunningTask(cpu, cpu in online, read_task(structs, task))


def _area(structs: Structs, cpu: int) -> int:
    """What is added to the address of a per-CPU variable for a CPU's own."""
    offsets = structs.symbols.vaddr("__per_cpu_offset")
    return structs.pointer(offsets + cpu * structs.kernel.arch.word) if offsets else 0


def _cpus(structs: Structs, name: str) -> Iterator[int]:
    """The bits of a ``struct cpumask``."""
    mask, size = structs.symbol(name), structs.types.sizeof("cpumask") or 0
    word = structs.kernel.arch.word
    for at in range(0, min(size, MOST_CPUS // 8), word):
        bits = structs.pointer(mask + at)
        yield from (at * 8 + i for i in range(word * 8) if bits >> i & 1)
    if not size:
        raise NotThere("the kernel's types lack struct cpumask")
