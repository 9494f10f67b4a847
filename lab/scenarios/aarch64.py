# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests of aarch64, on QEMU's "virt" machine: RAM starts at 1 GiB."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..scenario import Scenario

_guest: Callable[..., Scenario] = partial(Scenario, arch="aarch64", group="arm64")
_more: Callable[..., Scenario] = partial(Scenario, arch="aarch64", group="arch")

_BOTH = ("elf", "kdump")
# Pointer authentication as the Arm manual has it takes an emulator most of its time.
_MAX = "max,pauth-impdef=on"
# A source of randomness for the kernel's EFI stub.
_RNG = ("-device", "virtio-rng-pci")

SCENARIOS: tuple[Scenario, ...] = (
    _guest("arm64-direct", "booted by QEMU itself, with KASLR", formats=_BOTH),
    _guest(
        "arm64-uefi",
        "UEFI guest with KASLR: its EFI stub moves the kernel to a random place",
        firmware="edk2",
        options=_RNG,
        formats=_BOTH,
    ),
    _guest(
        "arm64-newer",
        "a kernel of a newer series, built for 52-bit addresses, on a CPU with 48",
        kernel="newer",
        formats=_BOTH,
    ),
)
