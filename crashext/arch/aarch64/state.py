# SPDX-License-Identifier: GPL-3.0-or-later
"""arm64: the notes that QEMU would have written of vCPUs whose state a migration stream has.

Fields: QEMU target/arm/machine.c, ``vmstate_arm_cpu``; of a vCPU in AArch64 ``cpsr`` is PSTATE.
Notes: QEMU target/arm/arch_dump.c, ``aarch64_elf_prstatus``; those of the vector registers are
left out.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from ...dumps.base import Note
from ...notes import NT_PRSTATUS

_PRSTATUS = struct.Struct("<32xI76x34QI4x")
_AARCH32 = 1 << 4
_OF_32 = 16  # r0 to r15


def notes(states: Sequence[Mapping[str, bytes]]) -> tuple[Note, ...]:
    """The notes of all vCPUs, none where a field is missing or of another size."""
    try:
        descs = [_prstatus(number, fields) for number, fields in enumerate(states, 1)]
    except (KeyError, struct.error):
        return ()
    return tuple(Note("CORE", NT_PRSTATUS, desc, 0) for desc in descs)


def _prstatus(pid: int, fields: Mapping[str, bytes]) -> bytes:
    """struct elf_prstatus with x0 to x30, sp, pc and pstate; ``pr_fpvalid`` is set."""
    regs = list(struct.unpack(">32Q", fields["env.xregs"]))
    (pc,), (pstate,) = struct.unpack(">Q", fields["env.pc"]), struct.unpack(">I", fields["cpsr"])
    if pstate & _AARCH32:
        narrow = struct.unpack(">16I", fields["env.regs"])
        regs[: _OF_32 - 1], pc = narrow[:-1], narrow[-1]
    return _PRSTATUS.pack(pid, *regs, pc, pstate, 1)
