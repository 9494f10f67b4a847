# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests of i386, s390x, ppc64le and riscv64, and of the newest kernels of all but x86_64."""

from __future__ import annotations

from ..course import Catch, Dump, Sleep, Wait
from ..scenario import Format, Scenario
from ..target import TARGETS, Arch

# The shell has gone to sleep when the guest is dumped: its vCPUs idle in the kernel.
_IDLE = (Wait(), Sleep(1.0), Dump())
_BOTH: tuple[Format, ...] = ("elf", "kdump")


def _guest(arch: Arch, name: str, shows: str, **more: object) -> Scenario:
    given = {"course": _IDLE, "formats": _BOTH, **more}
    return Scenario(name, shows, group="arch", arch=arch, **given)  # type: ignore[arg-type]


def _user(arch: Arch, name: str, **more: object) -> Scenario:
    course = (Wait(), Catch(TARGETS[arch].user_mode), Dump())
    shows = "the vCPU busy in user mode"
    return _guest(arch, name, shows, cmdline="lab.action=spin", course=course, **more)


# A guest that has panicked says so to these machines, whereupon QEMU would end.
_STAY = ("-action", "panic=pause")
_PANIC = (Wait("Kernel panic - not syncing"), Sleep(1.0), Dump())

_I386 = (
    _guest("i386", "i386-pae", "32-bit guest with KASLR, three levels of page tables"),
    _guest("i386", "i386-pae-nokaslr", "the same without KASLR", cmdline="nokaslr"),
    _guest("i386", "i386-pae-4cpu", "four vCPUs and 2 GiB", vcpus=4, memory="2G"),
    _guest("i386", "i386-nopae", "two levels of page tables", kernel="nopae"),
    _user("i386", "i386-pae-user"),
)

_S390X = (
    # No KASLR: it wants the random numbers of an instruction that QEMU's translator lacks.
    _guest("s390x", "s390x-direct", "a guest of IBM Z: the kernel's addresses are physical ones"),
    _guest("s390x", "s390x-4cpu", "four vCPUs and 2 GiB", vcpus=4, memory="2G"),
    _user("s390x", "s390x-user"),
    _guest(
        "s390x",
        "s390x-panicked",
        "panicked and stopped",
        vcpus=2,
        cmdline="lab.action=panic",
        options=_STAY,
        course=_PANIC,
    ),
)

_PPC64LE = (
    _guest("ppc64le", "ppc64le-radix", "page tables of the radix kind, 64 KiB pages", memory="1G"),
    _guest(
        "ppc64le",
        "ppc64le-hash",
        "a hashed page table, which no register shows",
        memory="1G",
        cmdline="disable_radix",
    ),
    _guest("ppc64le", "ppc64le-power8", "a CPU without radix", memory="1G", cpu="power8"),
    _guest("ppc64le", "ppc64le-4cpu", "four vCPUs and 2 GiB", vcpus=4, memory="2G"),
    _user("ppc64le", "ppc64le-user", memory="1G"),
    _guest(
        "ppc64le",
        "ppc64le-panicked",
        "panicked and stopped",
        vcpus=2,
        memory="1G",
        cmdline="lab.action=panic",
        options=_STAY,
        course=_PANIC,
    ),
)

_RISCV64 = (
    _guest("riscv64", "riscv64-sv57", "five levels of page tables"),
    _guest("riscv64", "riscv64-sv48", "four levels of page tables", cmdline="no5lvl"),
    _guest("riscv64", "riscv64-sv39", "three levels of page tables", cmdline="no4lvl"),
    _guest("riscv64", "riscv64-4cpu", "four vCPUs and 2 GiB", vcpus=4, memory="2G"),
    _user("riscv64", "riscv64-user"),
    _guest(
        "riscv64",
        "riscv64-panicked",
        "panicked and stopped",
        vcpus=2,
        cmdline="lab.action=panic",
        course=_PANIC,
    ),
)


def _newest(arch: Arch, name: str) -> Scenario:
    shows = "the newest series there is, as Debian's development release configures it"
    return _guest(arch, name, shows, kernel="development", memory="1G")


# What a new series moves shows here first.
_DEVELOPMENT = (
    _newest("aarch64", "arm64-development"),
    _newest("s390x", "s390x-development"),
    _newest("ppc64le", "ppc64le-development"),
    _newest("riscv64", "riscv64-development"),
)

SCENARIOS: tuple[Scenario, ...] = (*_I386, *_S390X, *_PPC64LE, *_RISCV64, *_DEVELOPMENT)
