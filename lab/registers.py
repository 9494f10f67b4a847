# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the vCPUs are: what QEMU shows of their registers, in the words of the truth files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .target import Target
from .truth import hex64

#: Addresses in hex, small numbers as they are.
Cpu = dict[str, str | int]

_E2H = 1 << 34  # HCR_EL2: the kernel itself runs in EL2, with tables of EL2


def vcpus(monitor: str, system: Sequence[Mapping[str, int]], target: Target) -> list[Cpu]:
    """Each vCPU, from the monitor's "info registers -a" and the gdbstub's system registers."""
    parts = re.split(r"(?m)^CPU#\d+\s*", monitor)[1:] or [monitor]
    cpus = [_shown(part, target) for part in parts]
    for cpu, registers in zip(cpus, system, strict=False):
        cpu.update(_translation(registers))
    return cpus


def _shown(text: str, target: Target) -> Cpu:
    cpu: Cpu = {}
    for name, register in target.registers.items():
        if match := re.search(register.pattern, text):
            value = int(match[1], register.base)
            cpu[name] = hex64(value) if register.base == 16 else value
    return cpu


def _translation(registers: Mapping[str, int]) -> Cpu:
    """The registers of aarch64's translation that count where the kernel runs, without level."""
    level = "EL2" if registers.get("HCR_EL2", 0) & _E2H else "EL1"
    return {name.lower(): hex64(registers[f"{name}_{level}"]) for name in ("TTBR0", "TTBR1", "TCR")}
