# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of a located kernel: from ``init_task`` along ``tasks``, and the threads of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .structs import NotThere, Structs

MOST_TASKS = 1 << 22  # PID_MAX_LIMIT
_NAME = 16  # TASK_COMM_LEN
_IDLE = 0x402  # TASK_IDLE: TASK_UNINTERRUPTIBLE | TASK_NOLOAD
#: From the low bits up, as ps(1) has them (task_state_array in fs/proc/array.c).
_STATES = ((0x01, "S"), (0x02, "D"), (0x04, "T"), (0x08, "t"), (0x10, "X"), (0x20, "Z"),
           (0x40, "P"), (0x80, "X"), (0x200, "W"), (0x800, "N"))  # fmt: skip
STATES = {
    "R": "running", "S": "sleeping", "D": "uninterruptible", "I": "idle", "T": "stopped",
    "t": "traced", "Z": "zombie", "X": "dead", "P": "parked", "W": "waking", "N": "new",
}  # fmt: skip


class Task(NamedTuple):
    """One thread.

    Attributes:
        vaddr: of its ``task_struct``.
        pid: its own number (``tid`` of user space).
        tgid: its process's.
        name: ``comm``.
        state: a letter, as in ``STATES``; ``?`` for what no kernel has.
        stack: where its kernel stack begins, run-time virtual.
    """

    vaddr: int
    pid: int
    tgid: int
    name: bytes
    state: str
    stack: int


class Tasks(NamedTuple):
    """All that could be followed, and what stopped it; empty where nothing did."""

    tasks: tuple[Task, ...]
    problem: str = ""


def read_tasks(structs: Structs) -> Tasks:
    """Every thread of every process, and the first CPU's idle task."""
    found: list[Task] = []
    try:
        for task in _walk(structs):
            found.append(task)
            if len(found) > MOST_TASKS:
                return Tasks(tuple(found), f"there are more than {MOST_TASKS} tasks")
    except NotThere as problem:
        return Tasks(tuple(found), str(problem))
    return Tasks(tuple(found))


def _walk(structs: Structs) -> Iterator[Task]:
    first = structs.symbol("init_task")
    yield read_task(structs, first)
    head = first + structs.offset("task_struct", "tasks")
    for leader in structs.entries(head, "task_struct", "tasks", MOST_TASKS):
        yield from _threads(structs, leader)


def _threads(structs: Structs, leader: int) -> Iterator[Task]:
    """A process's threads, by the list of its ``signal_struct`` (3.14 and later)."""
    yield read_task(structs, leader)
    signal = structs.pointer(leader + structs.offset("task_struct", "signal"))
    head = signal + structs.offset("signal_struct", "thread_head")
    for thread in structs.entries(head, "task_struct", "thread_node", MOST_TASKS):
        if thread != leader:
            yield read_task(structs, thread)


def read_task(structs: Structs, vaddr: int) -> Task:
    """One task by its address.

    Raises:
        NotThere: it is not in the dump.
    """

    def number(member: str, size: int) -> int:
        return structs.number(vaddr + structs.offset("task_struct", member), size)

    return Task(
        vaddr,
        number("pid", 4),
        number("tgid", 4),
        structs.text(vaddr + structs.offset("task_struct", "comm"), _NAME),
        _state(structs, vaddr),
        structs.pointer(vaddr + structs.offset("task_struct", "stack")),
    )


def _state(structs: Structs, vaddr: int) -> str:
    """By ``__state`` (``state`` before 5.14) and ``exit_state``, as ``task_state_index()``."""
    state = structs.number(vaddr + structs.offset("task_struct", "__state", "state"), 4)
    ended = structs.number(vaddr + structs.offset("task_struct", "exit_state"), 4)
    both = state | ended
    if both & 0xFFF == _IDLE:
        return "I"
    if not both & 0xFFF:
        return "R"
    return next((letter for bit, letter in _STATES if both & bit), "?")
