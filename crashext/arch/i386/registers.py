# SPDX-License-Identifier: GPL-3.0-or-later
"""i386: the state of a vCPU. QEMU writes the same note as for x86_64."""

from __future__ import annotations

from collections.abc import Sequence

from ...dumps.base import Note
from ..base import Paging
from ..x86_64 import registers as x86
from .layout import NO_PAE, PAE

_WORD = (1 << 32) - 1
#: CR3 bits below the address of a page, and of the four entries that PAE has (SDM vol. 3, 4.4).
_FLAGS, _PAE_FLAGS = 0xFFF, 0x1F


class CpuState(x86.CpuState):
    """The registers of one vCPU that say where its 32-bit kernel is."""

    __slots__ = ()

    @property
    def registers(self) -> dict[str, int]:
        """Where it runs, and on which page tables."""
        return {"eip": self.rip, "cr3": self.cr3}

    @property
    def paging(self) -> Paging | None:
        """With CR4.PAE or without; None for 64-bit code, which no 32-bit kernel runs."""
        if not self.cr0 & x86.CR0_PG or self.cs_flags & x86.CS_LONG_MODE:
            return None
        return PAE if self.cr4 & x86.CR4_PAE else NO_PAE

    def roots(self, ram_end: int) -> tuple[int, ...]:
        """Physical addresses that may be its kernel's top-level table, as on x86_64."""
        root = self.cr3 & _WORD & ~(_PAE_FLAGS if self.cr4 & x86.CR4_PAE else _FLAGS)
        return (root & ~x86.CR3_PTI_USER, root) if root & x86.CR3_PTI_USER else (root,)

    @property
    def mode(self) -> str:
        """The mode it runs in, in words."""
        if not self.cr0 & 1:
            return "real mode"
        if not self.cr0 & x86.CR0_PG:
            return "protected mode without paging"
        if self.cs_flags & x86.CS_LONG_MODE:
            return "64-bit code"
        return "user mode" if self.cs & 3 else "ring 0"


def cpu_states(notes: Sequence[Note]) -> tuple[CpuState, ...]:
    """The vCPUs of a dump, in the order of their QEMU notes; malformed notes are left out."""
    return x86.read_notes(notes, CpuState)
