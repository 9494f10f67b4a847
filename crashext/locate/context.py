# SPDX-License-Identifier: GPL-3.0-or-later
"""What the search works on: one dump, its vCPUs, perhaps a vmlinux."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ..arch import notes_of
from ..arch.base import AddressSpace, Architecture, Cpu, Paging, Proposal, Run
from ..dumps.base import Dump
from ..dumps.source import Source
from ..symbols.vmlinux import Vmlinux
from .memory import PhysMemory

Progress = Callable[[str, float], None]
#: Image windows remembered: a guest can name any number of tables.
_MAX_WINDOWS = 256
#: Of proposals, which a guest can plant any number of, so many are kept in words for each way.
MOST_NOTED = 8
#: What the steps call an architecture's own ways.
OWN = "architecture"


class Step(NamedTuple):
    """One way of finding a kernel that was tried: what it proposed, what was refused of that.

    ``way`` is as :mod:`crashext.locate.meaning` knows it. ``found`` and ``refused`` are words,
    at most a few; ``number`` counts all proposals, ``pages_read`` the pages of memory.
    """

    way: str
    number: int
    pages_read: int
    found: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The dict that stands in the ``steps`` list of the JSON."""
        return {
            "way": self.way,
            "found": list(self.found),
            "refused": list(self.refused),
            "count": self.number,
            "pages_read": self.pages_read,
        }


@dataclass
class Context:
    """The inputs of one search and what several of its steps share.

    ``sparing`` is the file where reading it is dear, see :class:`crashext.locate.How`;
    ``swept`` counts the kernels' texts in RAM, once all of it was sampled for such.
    ``progress`` is called with a description and the fraction done (0 to 1) by
    steps that may take longer than a moment. ``refuted`` collects claims that nothing
    in memory bears out. Of physical places: ``hollow`` are those where a kernel's banner
    stands without the kernel around it, ``unplaced`` those whose placement can't be read,
    ``damaged`` those of them that hold a kernel, ``unstarted`` those with a copy that never
    ran. ``others``
    counts images of other builds than the vmlinux's, ``claims`` the texts that a table seemed
    to bear out. ``bounded`` is set when a bound kept
    something from being looked at, ``crash_noted`` when a VMCOREINFO in memory has a time
    of crash. ``tried`` are the steps of the search, ``refused`` by each way's source what it
    proposed in vain.
    """

    dump: Dump
    memory: PhysMemory
    arch: Architecture
    vmlinux: Vmlinux | None = None
    use_cpu_state: bool = True
    sparing: Source | None = None
    swept: int | None = None
    progress: Progress = lambda what, fraction: None
    warnings: list[str] = field(default_factory=list)
    refuted: list[Proposal] = field(default_factory=list)
    hollow: set[int] = field(default_factory=set)
    unplaced: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    unstarted: set[int] = field(default_factory=set)
    bodies: dict[int, Any] = field(default_factory=dict)
    others: int = 0
    claims: int = 0
    bounded: bool = False
    crash_noted: bool = False
    tried: list[Step] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)
    _tables: dict[tuple[int, Paging], AddressSpace] = field(default_factory=dict)
    _windows: dict[tuple[int, Paging, int | None], tuple[Run, ...]] = field(default_factory=dict)

    @cached_property
    def cpus(self) -> tuple[Cpu, ...]:
        """The vCPUs with a state; empty where it is not to be used or all zero."""
        if not self.use_cpu_state:
            return ()
        return tuple(cpu for cpu in self.arch.cpus(notes_of(self.dump)) if not cpu.empty)

    def warn(self, text: str) -> None:
        """Add a line to the answer's warnings, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def refuse(self, proposal: Proposal, why: str) -> None:
        """Note a proposal that is not followed; of any number the first few."""
        refused = self.refused.setdefault(proposal.source, [])
        if len(refused) < MOST_NOTED:
            refused.append(f"{proposal.detail}: {why}")

    def course(self) -> tuple[Step, ...]:
        """The steps of the search, each with what was refused of it."""
        known = {step.way for step in self.tried}
        refused: dict[str, list[str]] = {}
        for source, words in self.refused.items():
            refused.setdefault(source if source in known else OWN, []).extend(words)
        return tuple(step._replace(refused=tuple(refused.pop(step.way, ()))) for step in self.tried)

    @cached_property
    def ram_end(self) -> int:
        """First physical address behind all RAM of the dump."""
        return max((r.end for r in self.dump.ram), default=0)

    def roots(self, cpu: Cpu) -> tuple[int, ...]:
        """Top-level tables that can be of ``cpu``'s kernel, inside RAM."""
        return cpu.roots(self.ram_end)

    @cached_property
    def tables_told(self) -> bool:
        """True when the vCPUs' notes say which page tables they run on."""
        return any(cpu.known for cpu in self.cpus)

    def tables(self, root: int, paging: Paging) -> AddressSpace:
        """The address space whose top-level table is at physical ``root``."""
        key = (root, paging)
        if key not in self._tables:
            _make_room(self._tables)
            self._tables[key] = self.arch.tables(self.memory, root, paging, self.ram_end)
        return self._tables[key]

    def image_runs(self, root: int, paging: Paging, near: int | None = None) -> tuple[Run, ...]:
        """The kernel-image window, around ``near``, as mapped by the table at ``root``."""
        key = (root, paging, near)
        if key not in self._windows:
            _make_room(self._windows)
            self._windows[key] = self.tables(root, paging).image_runs(near)
        return self._windows[key]

    def linked(self, *names: str) -> int | None:
        """The address that the vmlinux given links the first known of ``names`` to."""
        return None if self.vmlinux is None else self.vmlinux.first(*names)

    def plausible(self, voffset: int) -> bool:
        """True when an image can be placed so in this guest."""
        return self.arch.is_voffset(voffset, self.ram_end)

    def image_start(self, vaddr: int) -> int:
        """The aligned address that the image begins at whose first symbol is at ``vaddr``."""
        return vaddr & -self.arch.image_align


def _make_room(kept: dict[Any, Any]) -> None:
    """Forget the oldest entry of a full table."""
    if len(kept) >= _MAX_WINDOWS:
        del kept[next(iter(kept))]
