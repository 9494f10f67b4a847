# SPDX-License-Identifier: GPL-3.0-or-later
"""What the search works on: one dump, its vCPUs, perhaps a vmlinux."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ..arch.x86_64 import CpuState, cpu_states
from ..arch.x86_64_paging import Mapping, PageTables, encryption_mask
from ..dumps.base import Dump
from ..symbols.vmlinux import Vmlinux
from .candidate import Candidate
from .memory import PhysMemory

Progress = Callable[[str, float], None]


@dataclass
class Context:
    """The inputs of one search and what several of its steps share.

    ``progress`` is called with a description and the fraction done (0 to 1) by
    steps that may take longer than a moment. ``rejected`` collects claims that nothing
    in memory bears out.
    """

    dump: Dump
    memory: PhysMemory
    vmlinux: Vmlinux | None = None
    use_cpu_state: bool = True
    progress: Progress = lambda what, fraction: None
    warnings: list[str] = field(default_factory=list)
    rejected: list[Candidate] = field(default_factory=list)
    _tables: dict[tuple[int, int], PageTables] = field(default_factory=dict)
    _mappings: dict[tuple[int, int], tuple[Mapping, ...]] = field(default_factory=dict)

    @cached_property
    def cpus(self) -> tuple[CpuState, ...]:
        """The vCPUs with a state; empty where it is not to be used or all zero."""
        if not self.use_cpu_state:
            return ()
        return tuple(cpu for cpu in cpu_states(self.dump.notes) if not cpu.empty)

    def warn(self, text: str) -> None:
        """Add a line to the answer's warnings, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def roots(self, cpu: CpuState) -> tuple[int, ...]:
        """Top-level tables that can be of ``cpu``'s kernel, inside RAM.

        With memory encryption CR3 carries the C-bit, which is no part of the address.
        """
        inside = (1 << max(self.ram_end - 1, 0).bit_length()) - 1
        return tuple(root & inside for root in cpu.roots)

    @cached_property
    def ram_end(self) -> int:
        """First physical address behind all RAM of the dump."""
        return max((r.end for r in self.dump.ram), default=0)

    def tables(self, root: int, levels: int) -> PageTables:
        """The address space whose top-level table is at physical ``root``."""
        key = (root, levels)
        if key not in self._tables:
            mask = encryption_mask(self.memory, root, self.ram_end)
            self._tables[key] = PageTables(self.memory, root, levels, mask)
        return self._tables[key]

    def image_mappings(self, root: int, levels: int) -> tuple[Mapping, ...]:
        """The kernel-image window as mapped by the table at ``root``."""
        key = (root, levels)
        if key not in self._mappings:
            self._mappings[key] = self.tables(root, levels).image_mappings()
        return self._mappings[key]
