# SPDX-License-Identifier: GPL-3.0-or-later
"""ppc64le: the state of a vCPU, from its NT_PRSTATUS note.

QEMU target/ppc/arch_dump.c, struct PPCUserRegStruct. No note has a page-table root.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ...dumps.base import Note
from ..usual import WithoutTables

_NT_PRSTATUS = 1
_SIZE = 504
#: r1, the stack pointer; nip and msr behind r31.
_LAYOUT = "112x8xQ240x2Q"
_LITTLE, _BIG = struct.Struct("<" + _LAYOUT), struct.Struct(">" + _LAYOUT)
#: MSR bits (Power ISA, "Machine State Register"): 64-bit mode, problem state, relocation.
_SF, _PR, _IR = 1 << 63, 1 << 14, 1 << 5


class _Registers(NamedTuple):
    number: int
    sp: int
    pc: int
    msr: int


class CpuState(WithoutTables, _Registers):
    """What says where one vCPU is."""

    __slots__ = ()

    @property
    def registers(self) -> dict[str, int]:
        """Where it runs, and on which stack."""
        return {"nip": self.pc, "r1": self.sp, "msr": self.msr}

    @property
    def empty(self) -> bool:
        """True when the note is all zero: no CPU runs like that."""
        return not (self.pc or self.sp or self.msr)

    @property
    def mode(self) -> str:
        """The mode it runs in, in words."""
        state = "problem state" if self.msr & _PR else "supervisor state"
        return state if self.msr & _IR else f"{state}, real mode"


def cpu_states(notes: Sequence[Note]) -> tuple[CpuState, ...]:
    """The vCPUs of a dump, in the order of their notes; malformed notes are left out."""
    descs = [n.desc for n in notes if n.name == "CORE" and n.type == _NT_PRSTATUS]
    return tuple(
        CpuState(index, *_fields(desc)) for index, desc in enumerate(descs) if len(desc) >= _SIZE
    )


def _fields(desc: bytes) -> tuple[int, int, int]:
    """r1, nip and msr, in the byte order in which MSR has the 64-bit mode that kernels run in.

    QEMU writes dumps of a little-endian guest in either order: it goes by a register that
    the hypervisor, not the guest, has set (ppc_interrupts_little_endian).
    """
    for layout in (_LITTLE, _BIG):
        sp, nip, msr = layout.unpack_from(desc)
        if msr & _SF:
            break
    return sp, nip, msr
