# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests of the lab: one entry each. A new state is a new entry here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .kernels import Which

Firmware = Literal["ovmf", "seabios"]
Format = Literal["elf", "flat", "kdump"]
Group = Literal["core", "states", "big"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One guest, what happens to it, and the dumps to take of it.

    Attributes:
        name: of the files in lab/dumps.
        shows: one line for people.
        cmdline: added to the kernel's command line; ``lab.action=`` names a script in
            lab/guest/action that the guest runs before it is dumped.
        memory: QEMU's ``-m``.
        until: the console text that means that the guest can be dumped.
        formats: elf, flat (kdump-zlib as QEMU writes it: flattened), kdump (made plain).
    """

    name: str
    shows: str
    group: Group = "core"
    firmware: Firmware = "ovmf"
    kernel: Which = "default"
    cmdline: str = ""
    vcpus: int = 1
    memory: str = "512M"
    cpu: str = "qemu64,+rdrand"
    devices: tuple[str, ...] = ()
    until: str = "=== LAB READY running"
    timeout: float = 180
    formats: tuple[Format, ...] = ("elf", "kdump")


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "ovmf-kaslr",
        "UEFI guest with KASLR: both the physical and the virtual base are random",
        formats=("elf", "flat", "kdump"),
    ),
    Scenario(
        "ovmf-nokaslr",
        "UEFI guest without KASLR: the kernel still lies away from its compiled address",
        cmdline="nokaslr",
    ),
    Scenario("seabios-kaslr", "BIOS guest with KASLR", firmware="seabios"),
    Scenario("ovmf-4cpu", "four vCPUs, one of them perhaps in user mode or idle", vcpus=4),
    Scenario("ovmf-la57", "5-level page tables", cpu="qemu64,+rdrand,+la57"),
    Scenario(
        "ovmf-vmcoreinfo",
        "the vmcoreinfo device: QEMU adds the guest's VMCOREINFO note",
        devices=("vmcoreinfo",),
        formats=("elf", "flat", "kdump"),
    ),
)


def select(names: list[str], groups: list[str]) -> list[Scenario]:
    """The scenarios of these names or, without names, of these groups."""
    return [s for s in SCENARIOS if (s.name in names if names else s.group in groups)]
