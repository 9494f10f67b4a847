# SPDX-License-Identifier: GPL-3.0-or-later
"""arm64: the state of a vCPU, from its NT_PRSTATUS note.

QEMU target/arm/arch_dump.c, struct aarch64_user_regs. No note has TTBR1_EL1: where a
vCPU's page tables are is not told.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ...dumps.base import Note
from ..usual import WithoutTables

_NT_PRSTATUS = 1
_SIZE = 392
#: x30, sp, pc, pstate behind x0 to x29.
_REGISTERS = struct.Struct("<112x240x4Q")
_AARCH32 = 1 << 4


class _Registers(NamedTuple):
    number: int
    lr: int
    sp: int
    pc: int
    pstate: int


class CpuState(WithoutTables, _Registers):
    """What says where one vCPU is."""

    __slots__ = ()

    @property
    def registers(self) -> dict[str, int]:
        """Where it runs, and on which stack."""
        return {"pc": self.pc, "sp": self.sp, "pstate": self.pstate}

    @property
    def empty(self) -> bool:
        """True when the note is all zero: no CPU runs like that."""
        return not (self.pc or self.sp or self.pstate or self.lr)

    @property
    def mode(self) -> str:
        """The exception level it runs at (Arm ARM, C5.2 SPSR_EL1.M)."""
        level = self.pstate >> 2 & 3
        if self.pstate & _AARCH32:
            return "32-bit code"
        return f"EL{level}" if level else "user mode"


def cpu_states(notes: Sequence[Note]) -> tuple[CpuState, ...]:
    """The vCPUs of a dump, in the order of their notes; malformed notes are left out."""
    descs = [n.desc for n in notes if n.name == "CORE" and n.type == _NT_PRSTATUS]
    return tuple(
        CpuState(index, *_REGISTERS.unpack_from(desc))
        for index, desc in enumerate(descs)
        if len(desc) >= _SIZE
    )
