# SPDX-License-Identifier: GPL-3.0-or-later
"""s390x: the state of a vCPU, from its notes.

QEMU target/s390x/arch_dump.c: for each vCPU an NT_PRSTATUS (PSW, general registers), then
among others NT_S390_CTRS, the control registers, and NT_S390_PREFIX, where its lowcore is.
All numbers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...dumps.base import Note
from ..base import Paging
from .layout import PAGE_SIZE, PAGINGS

NT_PRSTATUS, NT_S390_CTRS, NT_S390_PREFIX = 1, 0x304, 0x305
#: The PSW and r15, the stack pointer, in struct elf_prstatus.
_PRSTATUS = struct.Struct(">112x2Q120xQ")
_CTRS = struct.Struct(">16Q")
#: PSW bits (Principles of Operation, "Program-Status-Word Format").
_DAT, _WAIT, _PROBLEM_STATE = 1 << 58, 1 << 49, 1 << 48
#: Address-space-control element: real-space control, designation type.
_REAL_SPACE, _TYPE_SHIFT = 0x20, 2


class CpuState(NamedTuple):
    """What says where one vCPU is, and on which tables.

    The kernel runs in the home space, CR13's, at all times (asm/ptrace.h, PSW_KERNEL_BITS);
    CR1 has a program's. ``control`` are CR0 to CR15, empty where the note is missing,
    ``prefix`` the physical address of its lowcore.
    """

    number: int
    mask: int
    pc: int
    sp: int
    control: tuple[int, ...]
    prefix: int | None

    @property
    def asce(self) -> int:
        """CR13."""
        return self.control[13] if self.control else 0

    @property
    def registers(self) -> dict[str, int]:
        """Where it runs, and on which page tables."""
        return {"psw_addr": self.pc, "cr13": self.asce, "psw_mask": self.mask}

    @property
    def known(self) -> bool:
        """True when the control registers were saved: CR0 is never zero."""
        return bool(self.control and self.control[0])

    @property
    def empty(self) -> bool:
        """True for a vCPU that was never started, or a note that was wiped."""
        return not (self.mask or self.pc or self.asce)

    @property
    def paging(self) -> Paging | None:
        """As the designation type says; None before a kernel has set CR13.

        A kernel that gave up waits with DAT off, its tables still in CR13 (disabled_wait).
        """
        if not self.asce & -PAGE_SIZE or self.asce & _REAL_SPACE:
            return None
        return PAGINGS[self.asce >> _TYPE_SHIFT & 3]

    @property
    def mode(self) -> str:
        """The mode it runs in, in words."""
        state = "problem state" if self.mask & _PROBLEM_STATE else "supervisor state"
        if not self.mask & _DAT:
            state += " without DAT"
        return state + (", waiting" if self.mask & _WAIT else "")

    def roots(self, ram_end: int) -> tuple[int, ...]:
        """The table that CR13 names."""
        root = self.asce & -PAGE_SIZE
        return (root,) if root < ram_end else ()


def cpu_states(notes: Sequence[Note]) -> tuple[CpuState, ...]:
    """The vCPUs of a dump, in the order of their notes; malformed notes are left out."""
    return tuple(_cpu_state(index, *each) for index, each in enumerate(_by_cpu(notes)))


def _by_cpu(notes: Sequence[Note]) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """An NT_PRSTATUS, and the notes between it and the next, by type."""
    status: bytes | None = None
    others: dict[int, bytes] = {}
    for note in notes:
        if note.name == "CORE" and note.type == NT_PRSTATUS:
            if status is not None:
                yield status, others
            status = note.desc if len(note.desc) >= _PRSTATUS.size else None
            others = {}
        elif note.name == "LINUX":
            others.setdefault(note.type, note.desc)
    if status is not None:
        yield status, others


def _cpu_state(index: int, status: bytes, others: dict[int, bytes]) -> CpuState:
    control, prefix = others.get(NT_S390_CTRS, b""), others.get(NT_S390_PREFIX, b"")
    mask, pc, sp = _PRSTATUS.unpack_from(status)
    return CpuState(
        index,
        mask,
        pc,
        sp,
        _CTRS.unpack_from(control) if len(control) >= _CTRS.size else (),
        int.from_bytes(prefix, "big") if len(prefix) == 4 else None,
    )
