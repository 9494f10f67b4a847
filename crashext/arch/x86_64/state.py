# SPDX-License-Identifier: GPL-3.0-or-later
"""x86_64: the notes that QEMU would have written of vCPUs whose state a migration stream has.

Fields: QEMU target/i386/machine.c, ``vmstate_x86_cpu``. Notes: QEMU target/i386/arch_dump.c,
``x86_64_elf_prstatus`` and ``QEMUCPUState``; those of type NT_PRSTATUS come first.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from ...dumps.base import Note
from ...notes import NT_PRSTATUS

# env.regs: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15.
_AX, _CX, _DX, _BX, _SP, _BP, _SI, _DI = range(8)
# env.segs, in QEMU's order.
_ES, _CS, _SS, _DS, _FS, _GS = range(6)

_PRSTATUS = struct.Struct("<32xI76x27Q8x")
_QEMU = struct.Struct("<II18Q" + 10 * "IIIIQ" + "5QQ")
_VERSION = 1


class _State:
    """The fields of one vCPU as numbers."""

    def __init__(self, fields: Mapping[str, bytes]) -> None:
        self._fields = fields
        raw = fields["env.regs"]
        self.regs = struct.unpack(">16Q", raw)
        self.rip, self.rflags = self.number("env.eip"), self.number("env.eflags")

    def number(self, name: str) -> int:
        return int.from_bytes(self._fields[name], "big")

    def segment(self, name: str) -> tuple[int, int, int, int, int]:
        """Selector, limit, flags, padding, base."""
        selector, base, limit, flags = (
            self.number(f"{name}.{part}") for part in ("selector", "base", "limit", "flags")
        )
        return selector, limit, flags, 0, base

    def segs(self, index: int) -> tuple[int, int, int, int, int]:
        return self.segment(f"env.segs[{index}]")


def notes(states: Sequence[Mapping[str, bytes]]) -> tuple[Note, ...]:
    """The notes of all vCPUs, none where a field is missing or of another size."""
    try:
        known = [_State(fields) for fields in states]
        core = [Note("CORE", NT_PRSTATUS, _prstatus(n, s), 0) for n, s in enumerate(known, 1)]
        return (*core, *(Note("QEMU", 0, _qemu(state), 0) for state in known))
    except (KeyError, struct.error):
        return ()


def _prstatus(pid: int, state: _State) -> bytes:
    """struct elf_prstatus with the registers of struct user_regs_struct."""
    regs, selectors = state.regs, [state.segs(index)[0] for index in range(6)]
    return _PRSTATUS.pack(
        pid,
        *reversed(regs[12:16]), regs[_BP], regs[_BX], *reversed(regs[8:12]),
        regs[_AX], regs[_CX], regs[_DX], regs[_SI], regs[_DI],
        0,  # orig_rax
        state.rip, selectors[_CS], state.rflags, regs[_SP], selectors[_SS],
        state.segs(_FS)[4], state.segs(_GS)[4],
        selectors[_DS], selectors[_ES], selectors[_FS], selectors[_GS],
    )  # fmt: skip


def _qemu(state: _State) -> bytes:
    """struct QEMUCPUState."""
    regs = state.regs
    segments = [state.segs(index) for index in (_CS, _DS, _ES, _FS, _GS, _SS)]
    segments += [state.segment(f"env.{name}") for name in ("ldt", "tr", "gdt", "idt")]
    return _QEMU.pack(
        _VERSION, _QEMU.size,
        *(regs[index] for index in (_AX, _BX, _CX, _DX, _SI, _DI, _SP, _BP)), *regs[8:],
        state.rip, state.rflags,
        *(number for segment in segments for number in segment),
        state.number("env.cr[0]"), 0, *(state.number(f"env.cr[{n}]") for n in (2, 3, 4)),
        state.number("env.kernelgsbase"),
    )  # fmt: skip
