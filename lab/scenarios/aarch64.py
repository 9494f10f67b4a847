# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests of aarch64, on QEMU's "virt" machine: RAM starts at 1 GiB."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..course import Catch, Dump, Reset, Sleep, Wait
from ..scenario import Format, Scenario
from ..target import TARGETS

# The shell has gone to sleep when the guest is dumped: its vCPUs idle in the kernel.
_IDLE = (Wait(), Sleep(1.0), Dump())
_guest: Callable[..., Scenario] = partial(Scenario, arch="aarch64", group="arm64", course=_IDLE)
_more: Callable[..., Scenario] = partial(Scenario, arch="aarch64", group="arch", course=_IDLE)

_BOTH: tuple[Format, ...] = ("elf", "kdump")
# Pointer authentication as the Arm manual has it takes an emulator most of its time.
_MAX = "max,pauth-impdef=on"
# The kernel's EFI stub asks the firmware for random numbers, which that has from here.
_RNG = ("-device", "virtio-rng-pci")
_EL2 = ("-machine", "virtualization=on")

_DEFAULT = (
    _guest(
        "arm64-direct",
        "started by QEMU itself, with KASLR: the virtual base alone is random",
        formats=_BOTH,
    ),
    _guest("arm64-nokaslr", "the same without KASLR", cmdline="nokaslr", formats=_BOTH),
    _guest(
        "arm64-uefi",
        "UEFI guest with KASLR: the kernel's EFI stub moves it to a random place",
        firmware="edk2",
        options=_RNG,
        formats=_BOTH,
    ),
    _guest(
        "arm64-4cpu",
        "UEFI guest with four vCPUs",
        firmware="edk2",
        options=_RNG,
        vcpus=4,
        formats=_BOTH,
    ),
    _guest(
        "arm64-vmcoreinfo",
        "the vmcoreinfo device: QEMU adds the guest's VMCOREINFO note",
        options=("-device", "vmcoreinfo"),
        formats=("elf", "flat", "kdump"),
    ),
    _guest(
        "arm64-newer",
        "a kernel of a series built for 52-bit addresses, on a CPU that has 48",
        kernel="lpa2",
        formats=_BOTH,
    ),
    _guest(
        "arm64-lpa2",
        "the same on a CPU that has 52: five levels of page tables",
        kernel="lpa2",
        cpu=_MAX,
        formats=_BOTH,
    ),
    _guest(
        "arm64-vhe",
        "the kernel in EL2",
        cpu=_MAX,
        options=_EL2,
        formats=_BOTH,
    ),
    _guest(
        "arm64-user",
        "the vCPU busy in user mode, on the user's tables",
        cmdline="kpti=on lab.action=spin",
        course=(Wait(), Catch(TARGETS["aarch64"].user_mode), Dump()),
        formats=_BOTH,
    ),
    _guest(
        "arm64-panicked",
        "panicked and halted",
        cmdline="lab.action=panic",
        vcpus=2,
        course=(Wait("end Kernel panic"), Sleep(1.0), Dump()),
        formats=_BOTH,
    ),
)

_MORE = (
    _more(
        "arm64-uefi-nokaslr",
        "UEFI guest without KASLR",
        firmware="edk2",
        cmdline="nokaslr",
        formats=_BOTH,
    ),
    _more(
        "arm64-newer-uefi",
        "UEFI guest of the newer series, four vCPUs",
        kernel="lpa2",
        firmware="edk2",
        options=_RNG,
        vcpus=4,
        formats=_BOTH,
    ),
    _more(
        "arm64-newer-nokaslr", "the newer series without KASLR", kernel="lpa2", cmdline="nokaslr"
    ),
    _more(
        "arm64-newer-vhe",
        "the newer series in EL2, 52-bit addresses",
        kernel="lpa2",
        cpu=_MAX,
        options=_EL2,
        formats=_BOTH,
    ),
    _more(
        "arm64-newer-user",
        "the newer series, its vCPUs busy in user mode",
        kernel="lpa2",
        cmdline="kpti=on lab.action=spin",
        course=(Wait(), Catch(TARGETS["aarch64"].user_mode), Dump()),
        formats=_BOTH,
    ),
    _more(
        "arm64-older",
        "the series of the release before, whose struct pages lie elsewhere",
        kernel="older",
        formats=_BOTH,
    ),
    _more(
        "arm64-el2-left",
        "started in EL2, which a CPU without VHE makes the kernel leave",
        options=_EL2,
        formats=_BOTH,
    ),
    _more(
        "arm64-sve",
        "four vCPUs with SVE registers",
        cpu=_MAX,
        vcpus=4,
        formats=_BOTH,
    ),
    _more(
        "arm64-sve-one",
        "three of four vCPUs with SVE never started: QEMU 7.2 makes room in an ELF for as many"
        " registers as the first one has, and the memory lies before where the headers say",
        cpu=_MAX,
        vcpus=4,
        cmdline="maxcpus=1",
        formats=_BOTH,
    ),
    _more(
        "arm64-16k",
        "pages of 16 KiB; its vmlinux is too large a download",
        kernel="16k",
        cpu=_MAX,
        formats=_BOTH,
    ),
    _more(
        "arm64-64k",
        "pages of 64 KiB and 52-bit addresses, a small kernel with everything named",
        group="built",
        kernel="64k",
        cpu=_MAX,
        formats=_BOTH,
    ),
    _more(
        "arm64-64k-48",
        "the same on a CPU that has 48-bit addresses, two vCPUs",
        group="built",
        kernel="64k",
        vcpus=2,
        formats=_BOTH,
    ),
    _more("arm64-2g", "two vCPUs and 2 GiB", vcpus=2, memory="2G"),
    _more("arm64-16g", "16 GiB of mostly untouched RAM", group="big", memory="16G"),
    _more(
        "arm64-reset-vector",
        "powered on and never run: vCPUs at the reset vector",
        kernel=None,
        options=("-S",),
        course=(Dump(),),
        roles=(),
        formats=_BOTH,
    ),
    _more(
        "arm64-firmware",
        "UEFI firmware that found nothing to boot",
        firmware="edk2",
        kernel=None,
        course=(Wait(r"BdsDxe: No bootable|Shell>|Press any key"), Dump()),
        roles=(),
    ),
    _more(
        "arm64-reset-booted",
        "reset and booted again: traces of the kernel of before are still in RAM",
        firmware="edk2",
        options=_RNG,
        course=(Wait(), Reset(), Wait(count=2), Dump()),
        roles=("stale", "live"),
        formats=_BOTH,
    ),
    _more(
        "arm64-cpus-offline",
        "two of four vCPUs taken offline",
        vcpus=4,
        cmdline="lab.action=offline",
        formats=_BOTH,
    ),
)

SCENARIOS: tuple[Scenario, ...] = (*_DEFAULT, *_MORE)
