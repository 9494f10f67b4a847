# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests of later QEMUs (lab/emulator.py), which write dumps in formats of their own.

Source: QEMU dump/dump.c. Since 8.2 a kdump can be written as it is, not flattened (kdump-raw-*);
notes and ELF headers of a PC have been the same since 7.2.
"""

from __future__ import annotations

from ..emulator import Emulator
from ..scenario import Format, Scenario
from ..target import Which

_EVERY: tuple[Format, ...] = ("elf", "flat", "kdump")

_FORMATS = (
    Scenario(
        "qemu-newer",
        "QEMU of the next release, which writes a kdump that is not flattened",
        group="qemu",
        qemu="newer",
        vcpus=2,
        memory="256M",
        formats=_EVERY,
    ),
    Scenario(
        "qemu-newest",
        "the newest QEMU there is: the same",
        group="qemu",
        qemu="newest",
        vcpus=2,
        memory="256M",
        formats=_EVERY,
    ),
    Scenario(
        "qemu-newest-vmcoreinfo",
        "the newest QEMU with its vmcoreinfo device",
        group="qemu",
        qemu="newest",
        firmware="seabios",
        memory="256M",
        options=("-device", "vmcoreinfo"),
        formats=("elf", "kdump"),
    ),
)


def _version(qemu: Emulator, kernel: Which) -> Scenario:
    shows = f"the {kernel} kernel on the {qemu} QEMU"
    return Scenario(
        f"qemu-{qemu}-{kernel}", shows, group="versions", qemu=qemu, kernel=kernel, vcpus=2
    )


# What the table of versions (lab/versions) asks besides the guests that there are.
_VERSIONS = (
    _version("newer", "other"),
    _version("newer", "development"),
    _version("newest", "other"),
    _version("newest", "development"),
)

SCENARIOS: tuple[Scenario, ...] = (*_FORMATS, *_VERSIONS)
