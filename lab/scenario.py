# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario of the lab is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .course import Dump, Migrate, Step, Wait
from .emulator import Emulator
from .target import TARGETS, Arch, Firmware, Target, Which

Format = Literal["elf", "flat", "kdump"]
Group = Literal[
    "core", "states", "arm64", "qemu", "big", "built", "arch", "captures", "types", "versions",
    "ubuntu",
]  # fmt: skip
# What a kernel that told its truth is at the time of the dump. "live" and "crashed" ones
# are the answer; "later" is one that had not been started yet.
Role = Literal["live", "crashed", "capture", "stale", "later"]

VCPU = TARGETS["x86_64"].cpu


@dataclass(frozen=True, slots=True)
class Scenario:
    """One guest, what happens to it, and the dumps to take of it.

    Attributes:
        name: of the files in lab/dumps.
        shows: one line for people.
        arch: of the guest; what follows from it is in lab/target.py.
        firmware: None is the usual one of the architecture.
        kernel: booted by QEMU itself; None leaves the guest in its firmware.
        other: a second kernel, put into the guest's /boot.
        cmdline: added to the kernel's command line; ``lab.action=`` names a script in
            lab/guest/action that the guest runs before it says that it is ready.
        memory: QEMU's ``-m``.
        cpu: QEMU's ``-cpu``; None is the usual one of the architecture.
        options: more of QEMU's.
        programs: C programs of lab/guest to build and take along.
        linked: symbols whose addresses the guest finds in /linked, as its kernel was linked:
            what anyone can read in the distribution's packages.
        disk: size in bytes of an empty virtio disk; None for no disk.
        qemu: what runs it (lab/emulator.py).
        course: what is done with the guest.
        roles: of the kernels that tell their truth, in the order in which they do.
        formats: elf; flat, which is kdump-zlib as QEMU writes it, flattened; kdump, which is
            kdump-raw-zlib or, of a QEMU before 8.2, the flattened one made plain. Debian builds
            QEMU without lzo and snappy.
    """

    name: str
    shows: str
    group: Group = "core"
    arch: Arch = "x86_64"
    firmware: Firmware | None = None
    kernel: Which | None = "default"
    other: Which | None = None
    cmdline: str = ""
    vcpus: int = 1
    memory: str = "512M"
    cpu: str | None = None
    options: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    disk: int | None = None
    qemu: Emulator = "own"
    course: tuple[Step, ...] = (Wait(), Dump())
    roles: tuple[Role, ...] = ("live",)
    formats: tuple[Format, ...] = ("kdump",)

    @property
    def target(self) -> Target:
        """What its architecture brings along."""
        return TARGETS[self.arch]

    @property
    def which_kernels(self) -> tuple[Which, ...]:
        """The kernels that it needs."""
        return tuple(which for which in (self.kernel, self.other) if which is not None)

    @property
    def captures(self) -> tuple[str, ...]:
        """The files that its course makes and that are no dumps."""
        sent = any(isinstance(step, Migrate) for step in self.course)
        return (f"{self.name}.qevm",) if sent else ()
