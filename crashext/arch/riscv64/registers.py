# SPDX-License-Identifier: GPL-3.0-or-later
"""riscv64: the state of a vCPU, from its NT_PRSTATUS note.

QEMU target/riscv/arch_dump.c: pc and x1 to x31. No note has satp, nor the privilege mode.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ...dumps.base import Note
from ..usual import WithoutTables

_NT_PRSTATUS = 1
_SIZE = 376
#: pc, ra (x1), sp (x2), gp (x3), tp (x4).
_REGISTERS = struct.Struct("<112x5Q")
_UPPER_HALF = 1 << 63


class _Registers(NamedTuple):
    number: int
    pc: int
    ra: int
    sp: int
    gp: int
    tp: int


class CpuState(WithoutTables, _Registers):
    """What says where one vCPU is."""

    __slots__ = ()

    @property
    def registers(self) -> dict[str, int]:
        """Where it runs, on which stack, and the task that it runs if the kernel does."""
        return {"pc": self.pc, "sp": self.sp, "tp": self.tp}

    @property
    def empty(self) -> bool:
        """True when the note is all zero: no CPU runs like that."""
        return not (self.pc or self.ra or self.sp or self.tp)

    @property
    def mode(self) -> str:
        """As far as addresses tell: the kernel's are in the upper half."""
        return "kernel" if self.pc & _UPPER_HALF else "user mode or firmware"


def cpu_states(notes: Sequence[Note]) -> tuple[CpuState, ...]:
    """The vCPUs of a dump, in the order of their notes; malformed notes are left out."""
    descs = [n.desc for n in notes if n.name == "CORE" and n.type == _NT_PRSTATUS]
    return tuple(
        CpuState(index, *_REGISTERS.unpack_from(desc))
        for index, desc in enumerate(descs)
        if len(desc) >= _SIZE
    )
