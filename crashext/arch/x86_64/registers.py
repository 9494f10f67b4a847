# SPDX-License-Identifier: GPL-3.0-or-later
"""x86_64: the state of a vCPU, from QEMU's notes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from ...dumps.base import Note
from ..base import Paging
from .layout import FIVE_LEVELS, FOUR_LEVELS, MAX_PADDR

CR0_PG = 1 << 31
CR4_PAE = 1 << 5
CR4_LA57 = 1 << 12
#: CR3 bits that are flags or the PCID, not an address (SDM vol. 3, 4.5).
CR3_FLAGS = 0xFFF
#: With page-table isolation the user table is the odd page of a pair
#: (arch/x86/include/asm/pgtable.h, PTI_PGTABLE_SWITCH_BIT).
CR3_PTI_USER = 1 << 12

# target/i386/arch_dump.c, struct QEMUCPUState: version, size, then registers; the
# version has never changed, so the size field says what is there.
_QEMU_NOTE_NAME = "QEMU"
_QEMU_NOTE_MIN = 432
_QEMU_HEAD = struct.Struct("<II")
_RSP, _RIP, _CS, _GS_BASE, _IDT, _CR0, _CR3, _CR4, _KERNEL_GS = (
    56, 136, 152, 264, 368, 392, 416, 424, 432,
)  # fmt: skip
CS_LONG_MODE = 1 << 21


class CpuState(NamedTuple):
    """The registers of one vCPU that say where its kernel is, from its QEMU note.

    ``kernel_gs_base`` is None for QEMU before 3.0, which did not write it.
    """

    number: int
    rip: int
    rsp: int
    cs: int
    cs_flags: int
    gs_base: int
    kernel_gs_base: int | None
    idt_base: int
    idt_limit: int
    cr0: int
    cr3: int
    cr4: int

    @property
    def pc(self) -> int:
        """RIP."""
        return self.rip

    @property
    def sp(self) -> int:
        """RSP."""
        return self.rsp

    @property
    def registers(self) -> dict[str, int]:
        """Where it runs, and on which page tables."""
        return {"rip": self.rip, "cr3": self.cr3}

    @property
    def known(self) -> bool:
        """True when CR0 was saved: no CPU has it zero."""
        return bool(self.cr0)

    @property
    def empty(self) -> bool:
        """True when the note is all zero: no CPU runs like that."""
        return not (self.cr0 or self.cr3 or self.cr4 or self.rip)

    @property
    def paging(self) -> Paging | None:
        """That of long mode, where PG and PAE are set: 5 levels with CR4.LA57, else 4."""
        if not (self.cr0 & CR0_PG and self.cr4 & CR4_PAE):
            return None
        return FIVE_LEVELS if self.cr4 & CR4_LA57 else FOUR_LEVELS

    def roots(self, ram_end: int) -> tuple[int, ...]:
        """Physical addresses that may be its kernel's top-level table.

        The table that CR3 names; with the PTI switch bit set first its even
        neighbour, which is the kernel's own table where PTI is in use. With memory
        encryption CR3 carries the C-bit, which is no part of the address.
        """
        inside = (1 << max(ram_end - 1, 0).bit_length()) - 1
        root = self.cr3 & (MAX_PADDR - 1) & ~CR3_FLAGS
        both = (root & ~CR3_PTI_USER, root) if root & CR3_PTI_USER else (root,)
        return tuple(root & inside for root in both)

    @property
    def mode(self) -> str:
        """The mode it runs in, in words."""
        if not self.cr0 & 1:
            return "real mode"
        if not self.cr0 & CR0_PG:
            return "protected mode without paging"
        if not self.cs_flags & CS_LONG_MODE:
            return "32-bit code" + (", user" if self.cs & 3 else "")
        return "user mode" if self.cs & 3 else "ring 0"


_State = TypeVar("_State", bound=CpuState)


def cpu_states(notes: Sequence[Note]) -> tuple[CpuState, ...]:
    """The vCPUs of a dump, in the order of their QEMU notes; malformed notes are left out."""
    return read_notes(notes, CpuState)


def read_notes(notes: Sequence[Note], of: type[_State]) -> tuple[_State, ...]:
    """Likewise, as what an architecture makes ``of`` them."""
    descs = [n.desc for n in notes if n.name == _QEMU_NOTE_NAME]
    return tuple(
        _cpu_state(index, desc, of) for index, desc in enumerate(descs) if _is_cpu_state(desc)
    )


def _is_cpu_state(desc: bytes) -> bool:
    return len(desc) >= _QEMU_NOTE_MIN


def _cpu_state(index: int, desc: bytes, of: type[_State]) -> _State:
    def u64(offset: int) -> int:
        return int.from_bytes(desc[offset : offset + 8], "little")

    def u32(offset: int) -> int:
        return int.from_bytes(desc[offset : offset + 4], "little")

    _version, size = _QEMU_HEAD.unpack_from(desc)
    has_kernel_gs = min(size, len(desc)) >= _KERNEL_GS + 8
    return of(
        number=index,
        rip=u64(_RIP),
        rsp=u64(_RSP),
        cs=u32(_CS),
        cs_flags=u32(_CS + 8),
        gs_base=u64(_GS_BASE),
        kernel_gs_base=u64(_KERNEL_GS) if has_kernel_gs else None,
        idt_base=u64(_IDT + 16),
        idt_limit=u32(_IDT + 4),
        cr0=u64(_CR0),
        cr3=u64(_CR3),
        cr4=u64(_CR4),
    )
