# SPDX-License-Identifier: GPL-3.0-or-later
"""Architecture facts: one folder for each, one line for each in ``ARCHITECTURES``."""

from __future__ import annotations

from ..dumps.base import Dump, Note
from .aarch64 import AArch64
from .base import Architecture
from .i386 import I386
from .ppc64le import Ppc64le
from .riscv64 import RiscV64
from .s390x import S390x
from .x86_64 import X86_64

__all__ = [
    "ARCHITECTURES",
    "CRASH_MACHINES",
    "QEMU_MACHINES",
    "architecture_of",
    "architectures_of",
    "notes_of",
]

ARCHITECTURES: tuple[Architecture, ...] = (
    X86_64(), AArch64(), S390x(), Ppc64le(), RiscV64(), I386(),
)  # fmt: skip

#: What QEMU writes as utsname.machine, whatever the guest (dump/dump.c, target/*/arch_dump.c).
QEMU_MACHINES = ("x86_64", "i686", "S390X", "Unknown")
#: crash's names (pc->machine_type) to those of :class:`crashext.dumps.base.Dump`.
CRASH_MACHINES = {
    "X86_64": "x86_64",
    "ARM64": "aarch64",
    "X86": "i386",
    "S390X": "s390x",
    "PPC64": "ppc64le",
    "RISCV64": "riscv64",
}


def architectures_of(arch: str) -> tuple[Architecture, ...]:
    """The descriptors of what a dump that says it is of ``arch`` may be of, likeliest first."""
    return tuple(a for a in ARCHITECTURES if arch in a.dump_arches)


def architecture_of(arch: str) -> Architecture | None:
    """The likeliest of them, None where there is none."""
    return next(iter(architectures_of(arch)), None)


def notes_of(dump: Dump) -> tuple[Note, ...]:
    """The notes of ``dump``; those that QEMU would have written where it has vCPUs, but no notes.

    A note that is not in the file has offset 0.
    """
    arch = architecture_of(dump.arch)
    if dump.notes or not dump.cpu_states or arch is None:
        return dump.notes
    return arch.state_notes(dump.cpu_states)
