# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in a guest: all that its memory and its dump tell, gathered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from ..kernel.cpus import RunningTask, running_tasks
from ..kernel.kernel import Kernel
from ..kernel.log import Log, LogError, read_log
from ..kernel.machine import Times, command_line, hostname, panic_cpu, taint, times
from ..kernel.modules import Modules, read_modules
from ..kernel.structs import NotThere, Structs, structs_of
from ..kernel.tasks import Tasks, read_tasks
from ..locate import Found
from .panic import Panic, find_panic
from .vcpus import VcpuPlace, place_vcpus

T = TypeVar("T")


@dataclass
class Facts:
    """Of one kernel; what can't be had is None, and ``lacking`` has the reason by its name.

    ``structs`` reads more of the kernel as long as its search is open.
    """

    times: Times | None = None
    hostname: bytes | None = None
    command_line: bytes | None = None
    taint: str | None = None
    panic_cpu: int | None = None
    tasks: Tasks | None = None
    modules: Modules | None = None
    cpus: tuple[RunningTask, ...] = ()
    vcpus: tuple[VcpuPlace, ...] = ()
    log: Log | None = None
    panic: Panic | None = None
    lacking: dict[str, str] = field(default_factory=dict)
    structs: Structs | None = None

    @property
    def states(self) -> Counter[str]:
        """How many tasks are in each state, by its letter."""
        return Counter(task.state for task in self.tasks.tasks) if self.tasks else Counter()


def gather(found: Found) -> Facts:
    """Everything of the kernel found, in a bounded number of reads."""
    facts = gather_briefly(found)
    if facts.structs is not None:
        _of_structs(facts, facts.structs)
    facts.vcpus = place_vcpus(found, facts.cpus, facts.structs)
    return facts


def gather_briefly(found: Found) -> Facts:
    """Name, times, log and panic alone, which few reads tell."""
    facts, kernel = Facts(), Kernel(found)
    try:
        facts.log = read_log(kernel)
        facts.panic = find_panic(facts.log.records)
    except LogError as problem:
        facts.lacking["log"] = str(problem)
    try:
        structs = structs_of(kernel)
    except NotThere as problem:
        facts.lacking["types"] = str(problem)
        return facts
    facts.structs = structs
    facts.times = _had(facts, "times", times)
    facts.hostname = _had(facts, "hostname", hostname)
    facts.panic = facts.panic and facts.panic.among(partial(_ending, structs))
    return facts


def _had(facts: Facts, name: str, read: Callable[[Structs], T]) -> T | None:
    """What is read, or None and the reason among what is lacking."""
    assert facts.structs is not None
    try:
        return read(facts.structs)
    except NotThere as problem:
        facts.lacking[name] = str(problem)
        return None


def _ending(structs: Structs, name: bytes) -> set[bytes]:
    """The functions that end where one of that name begins."""
    symbols = structs.symbols
    before = (symbols.at(vaddr - 1) for vaddr in symbols.vaddrs(name.decode("ascii")))
    return {each.partition("+")[0].encode() for each in before if each}


def _of_structs(facts: Facts, structs: Structs) -> None:
    facts.command_line = _had(facts, "command_line", command_line)
    facts.taint = _had(facts, "taint", taint)
    facts.panic_cpu = _had(facts, "panic_cpu", panic_cpu)
    facts.cpus = _had(facts, "cpus", lambda s: tuple(running_tasks(s))) or ()
    facts.tasks, facts.modules = read_tasks(structs), read_modules(structs)
    for name, part in (("tasks", facts.tasks), ("modules", facts.modules)):
        if part.problem:
            facts.lacking[name] = part.problem
