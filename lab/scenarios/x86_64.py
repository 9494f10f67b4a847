# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests of x86_64."""

from __future__ import annotations

from dataclasses import replace

from ..course import DECOMPRESSOR, USER_MODE, Dump, Reset, RunTo, Sleep, Wait
from ..scenario import VCPU, Scenario

_CORE = (
    Scenario(
        "ovmf-kaslr",
        "UEFI guest with KASLR: both the physical and the virtual base are random",
        formats=("elf", "flat", "kdump"),
    ),
    Scenario(
        "ovmf-nokaslr",
        "UEFI guest without KASLR: the kernel still lies away from its compiled address",
        cmdline="nokaslr",
        formats=("elf", "kdump"),
    ),
    Scenario(
        "seabios-kaslr", "BIOS guest with KASLR", firmware="seabios", formats=("elf", "kdump")
    ),
    Scenario(
        "seabios-base0",
        "BIOS guest without KASLR: phys_base really is 0; vmcoreinfo device",
        firmware="seabios",
        cmdline="nokaslr",
        options=("-device", "vmcoreinfo"),
    ),
    Scenario("ovmf-4cpu", "four vCPUs", vcpus=4, formats=("elf", "kdump")),
    Scenario("ovmf-la57", "5-level page tables", cpu=f"{VCPU},+la57", formats=("elf", "kdump")),
    Scenario(
        "ovmf-vmcoreinfo",
        "the vmcoreinfo device: QEMU adds the guest's VMCOREINFO note",
        options=("-device", "vmcoreinfo"),
        formats=("elf", "flat", "kdump"),
    ),
)

_NOT_BOOTED = (
    Scenario(
        "reset-vector",
        "powered on and never run: vCPUs at the reset vector",
        kernel=None,
        options=("-S",),
        course=(Dump(),),
        roles=(),
        formats=("elf", "kdump"),
    ),
    Scenario(
        "ovmf-firmware",
        "UEFI firmware that found nothing to boot",
        kernel=None,
        course=(Wait(r"BdsDxe: No bootable|Shell>|Press any key"), Dump()),
        roles=(),
    ),
    Scenario(
        "decompressor",
        "the kernel's decompressor at work",
        firmware="seabios",
        course=(DECOMPRESSOR, Dump(), Wait()),
        roles=("later",),
    ),
    Scenario(
        "early-tables",
        "the kernel's first C function, on its early page tables, before the IDT is set",
        cmdline="nokaslr",
        course=(RunTo("x86_64_start_kernel"), Dump(), Wait()),
    ),
    Scenario(
        "early-setup",
        "setup_arch() about to build the final page tables",
        cmdline="nokaslr",
        course=(RunTo("init_mem_mapping"), Dump(), Wait()),
    ),
    Scenario(
        "efi-call",
        "in a UEFI run-time service, on the page tables of efi_mm",
        cmdline="nokaslr",
        course=(RunTo("__efi_call"), Dump(), Wait()),
    ),
)

_SEVERAL_KERNELS = (
    Scenario(
        "reset-firmware",
        "reset, dumped in the firmware: the kernel of before is still in RAM",
        course=(Wait(), Reset(), Sleep(1.0), Dump()),
        roles=("stale",),
    ),
    Scenario(
        "reset-booted",
        "reset and booted again: traces of the kernel of before are still in RAM",
        course=(Wait(), Reset(), Wait(count=2), Dump()),
        roles=("stale", "live"),
        formats=("elf", "kdump"),
    ),
    Scenario(
        "kdump-capture",
        "crashed; the capture kernel runs beside it and copies /proc/vmcore",
        cmdline="crashkernel=160M lab.action=crash",
        disk=600 << 20,
        course=(Wait("=== LAB READY capture"), Dump(), Wait(r"=== LAB VMCORE \d+\n")),
        roles=("crashed", "capture"),
        formats=("elf", "kdump"),
    ),
    Scenario(
        "kdump-smp",
        "crashed on vCPU 1, which runs the capture kernel; vCPU 0 halted in the crashed one",
        cmdline="crashkernel=160M lab.action=crash lab.cpu=1",
        vcpus=2,
        course=(Wait("=== LAB READY capture"), Dump()),
        roles=("crashed", "capture"),
        formats=("elf", "kdump"),
    ),
    Scenario(
        "kexec-other",
        "kexec'ed into a kernel of another version",
        other="other",
        cmdline="lab.action=kexec",
        memory="1G",
        roles=("stale", "live"),
    ),
)

_STALE_NOTE = Scenario(
    "kexec-stale-note",
    "kexec'ed into itself; QEMU's VMCOREINFO note is still of the kernel of before",
    other="default",
    cmdline="lab.action=kexec lab.below=0x20000000 lab.second=lab.skip=qemu_fw_cfg,mem=512M",
    memory="1G",
    options=("-device", "vmcoreinfo"),
    roles=("stale", "live"),
    formats=("elf", "kdump"),
)

_RUNNING = (
    Scenario(
        "newer-kernel", "a kernel of another series", kernel="other", formats=("elf", "kdump")
    ),
    Scenario(
        "newer-la57", "the same with 5-level page tables", kernel="other", cpu=f"{VCPU},+la57"
    ),
    Scenario(
        "user-pti",
        "page-table isolation; the vCPU busy in user mode, on the user's tables",
        cmdline="pti=on lab.action=spin",
        course=(Wait(), USER_MODE, Dump()),
        formats=("elf", "kdump"),
    ),
    Scenario(
        "planted",
        "a program has planted banners and false VMCOREINFO texts all over its memory",
        cmdline="lab.action=plant",
        formats=("elf", "kdump"),
    ),
    Scenario(
        "forged",
        "a program has forged a whole kernel: banner, build ID, phys_base, page tables that agree",
        cmdline="lab.action=forge",
        memory="1G",
        programs=("forge",),
        formats=("elf", "kdump"),
    ),
    Scenario(
        "panicked",
        "panicked and halted",
        cmdline="lab.action=panic",
        vcpus=2,
        course=(Wait("end Kernel panic"), Sleep(1.0), Dump()),
        formats=("elf", "kdump"),
    ),
    Scenario(
        "cpus-offline", "two of four vCPUs taken offline", vcpus=4, cmdline="lab.action=offline"
    ),
    Scenario("cpus-not-started", "three of four vCPUs never started", vcpus=4, cmdline="maxcpus=1"),
    Scenario(
        "pc-dimm",
        "memory in a slot, above 4 GiB",
        memory="512M,slots=2,maxmem=8G",
        options=(
            *("-object", "memory-backend-ram,id=dimm,size=512M"),
            *("-device", "pc-dimm,memdev=dimm"),
        ),
    ),
)

_SPRAYED = tuple(
    Scenario(
        f"sprayed-{kind}",
        f"a program without privileges has sprayed its memory with {what}",
        cmdline=f"lab.action=spray lab.spray={kind}",
        memory="1G",
        programs=("spray",),
        linked=("_text", "linux_banner", "phys_base", "init_top_pgt"),
    )
    for kind, what in (
        ("decoys", "parts of kernel images: some add up to one that its page tables bear out"),
        ("images", "parts of kernel images: most add up to one that page tables bear out"),
        ("claims", "32 VMCOREINFO texts and their page tables in each 2 MiB"),
        ("text", "a VMCOREINFO text and its page tables in each 2 MiB"),
    )
)


def _large(gib: int) -> Scenario:
    backend = f"memory-backend-ram,id=ram,size={gib}G,reserve=off"
    return Scenario(
        f"ram-{gib}g",
        f"{gib} GiB of mostly untouched RAM",
        group="big",
        memory=f"{gib}G",
        options=("-object", backend, "-machine", "memory-backend=ram"),
    )


def _states(*scenarios: Scenario) -> tuple[Scenario, ...]:
    return tuple(replace(scenario, group="states") for scenario in scenarios)


_BUILT = (
    Scenario(
        "odd-kernel",
        "a kernel built with PHYSICAL_START at 64 MiB and PHYSICAL_ALIGN of 16 MiB",
        group="built",
        kernel="odd",
        firmware="seabios",
        formats=("elf", "kdump"),
    ),
    Scenario(
        "odd-nokaslr",
        "the same without KASLR",
        group="built",
        kernel="odd",
        firmware="seabios",
        cmdline="nokaslr",
    ),
)

# What a vmlinux made from the dump is tried on, besides the others.
_TYPES = (
    Scenario(
        "development-kernel",
        "the newest series there is, from Debian's development release",
        group="types",
        kernel="development",
        vcpus=2,
        formats=("elf", "kdump"),
    ),
    Scenario(
        "odd-types",
        "a kernel of odd configuration, number of CPUs and HZ, built with its types",
        group="types",
        kernel="odd-types",
        firmware="seabios",
        vcpus=2,
        formats=("elf", "kdump"),
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    *_CORE,
    *_states(*_NOT_BOOTED, *_SEVERAL_KERNELS, _STALE_NOTE, *_RUNNING, *_SPRAYED),
    *(_large(gib) for gib in (6, 16, 64)),
    *_BUILT,
    *_TYPES,
)
