# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the guests' architectures: one entry each. A new one is a new entry here.

What has to be worked out of a running guest's memory and registers is in lab/layout.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Arch = Literal["x86_64", "aarch64", "s390x", "ppc64le", "i386", "riscv64"]
# "direct": QEMU puts the kernel into memory and starts it there.
Firmware = Literal["ovmf", "seabios", "edk2", "slof", "opensbi", "direct"]
# Which kernel of an architecture: the one that Debian installs, one of another series, that of
# the release before, one that can have 52-bit addresses, that of the development release, one
# with larger pages, one without PAE, ones that the lab builds, Ubuntu's. Where each comes from
# is in lab/kernels.py.
Which = Literal[
    "default", "other", "older", "lpa2", "development", "16k", "64k", "nopae", "odd", "odd-types",
    "ubuntu", "ubuntu-newer",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Register:
    """A register in the text of the monitor's "info registers".

    The truth files have one of base 16 in hex, another as a number.
    """

    pattern: str
    base: int = 16


@dataclass(frozen=True, slots=True)
class Build:
    """A kernel that the lab builds.

    Attributes:
        source: the package, or the meta package that depends on it.
        configs: in lab/guest, added to "make tinyconfig".
        arch: make's ``ARCH``.
        image: what is booted, in the tree.
        cross: make's ``CROSS_COMPILE``.
        tools: that the configuration needs besides the usual ones.
    """

    source: str
    configs: tuple[str, ...]
    arch: str
    image: str
    cross: str = ""
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One architecture.

    Attributes:
        arch: the name that crashext and the truth files have for it.
        debian: Debian's name of it.
        qemu: the emulator.
        machine: QEMU's ``-machine``.
        cpu: QEMU's ``-cpu`` where a scenario asks for no other.
        console: the kernel's ``console=``.
        firmware: what a guest starts with where its scenario says nothing.
        bios: the files to look for, of the firmwares that QEMU has to be told of.
        kernels: the meta package of each kernel.
        built: the kernels that the lab builds.
        busybox: whether Debian's is the guest's userland; else it is lab/guest/init.c alone.
        without_debug: kernels whose debug packages, a gigabyte each, are left alone.
        symbols: those that the guest tells the addresses of, besides ``_text`` and its like.
        place: a range of /proc/iomem and the symbol that it starts at, or what a kernel address
            has more than the physical one, where that is fixed.
        registers: by the name in the truth files. A vCPU's text may lack one.
        system_registers: those that only QEMU's gdbstub shows.
        kernel_map: where the mapping starts that ``phys_base`` is counted from.
        user_mode: matches the registers of a vCPU in user mode.
    """

    arch: Arch
    debian: str
    qemu: str
    machine: str
    cpu: str
    console: str
    firmware: Firmware
    kernels: Mapping[Which, str]
    symbols: tuple[str, ...]
    registers: Mapping[str, Register]
    user_mode: str
    place: tuple[str, str] | int = ("Kernel code", "_text")
    bios: Mapping[Firmware, tuple[str, ...]] = field(default_factory=dict)
    system_registers: tuple[str, ...] = ()
    built: Mapping[Which, Build] = field(default_factory=dict)
    busybox: bool = True
    without_debug: tuple[Which, ...] = ()
    kernel_map: int | None = None

    @property
    def place_symbol(self) -> tuple[str, ...]:
        """The symbol of :attr:`place`, if there is one."""
        return () if isinstance(self.place, int) else self.place[1:]

    byte_order: Literal["little", "big"] = "little"
    word: int = 8


#: Start of x86_64's mapping of the kernel: Linux arch/x86/include/asm/page_64_types.h.
START_KERNEL_MAP = 0xFFFFFFFF80000000
#: Where Debian and others keep the UEFI firmware that QEMU takes with -bios.
_OVMF = ("/usr/share/ovmf/OVMF.fd", "/usr/share/qemu/OVMF.fd", "/usr/share/edk2/ovmf/OVMF.fd")
_EDK2_ARM = ("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "/usr/share/edk2/aarch64/QEMU_EFI.fd")

_ODD = Build("linux-source", ("odd.config",), arch="x86_64", image="arch/x86/boot/bzImage")

_X86_64 = Target(
    arch="x86_64",
    debian="amd64",
    qemu="qemu-system-x86_64",
    machine="q35",
    cpu="qemu64,+rdrand",
    console="ttyS0",
    firmware="ovmf",
    bios={"ovmf": _OVMF},
    kernels={
        "default": "linux-image-cloud-amd64",
        "other": "linux-image-cloud-amd64",
        "development": "linux-image-cloud-amd64",
        "ubuntu": "linux-image-generic",
        "ubuntu-newer": "linux-image-generic",
    },
    without_debug=("ubuntu", "ubuntu-newer"),
    symbols=(
        *("init_top_pgt", "phys_base", "idt_table", "asm_exc_divide_error", "page_offset_base"),
        "__pgtable_l5_enabled",
    ),
    registers={
        "ip": Register(r"\b[RE]IP=([0-9a-f]+)"),
        "cr3": Register(r"\bCR3=([0-9a-f]+)"),
        "privilege": Register(r"\bCPL=(\d)", 10),
        "halted": Register(r"\bHLT=(\d)", 10),
    },
    user_mode=r"CPL=3",
    kernel_map=START_KERNEL_MAP,
    built={
        "odd": _ODD,
        "odd-types": replace(_ODD, configs=(*_ODD.configs, "types.config"), tools=("pahole",)),
    },
)

_AARCH64 = Target(
    arch="aarch64",
    debian="arm64",
    qemu="qemu-system-aarch64",
    machine="virt",
    cpu="cortex-a72",
    console="ttyAMA0",
    firmware="direct",
    bios={"edk2": _EDK2_ARM},
    kernels={
        "default": "linux-image-cloud-arm64",
        "lpa2": "linux-image-cloud-arm64",
        "development": "linux-image-cloud-arm64",
        "older": "linux-image-cloud-arm64",
        "16k": "linux-image-arm64-16k",
    },
    built={
        "64k": Build(
            "linux-source",
            ("arm64-64k.config",),
            arch="arm64",
            image="arch/arm64/boot/Image",
            cross="aarch64-linux-gnu-",
            tools=("pahole",),
        )
    },
    without_debug=("16k",),
    symbols=(
        *("swapper_pg_dir", "idmap_pg_dir", "init_pg_dir", "tramp_pg_dir", "reserved_pg_dir"),
        *("memstart_addr", "kimage_voffset", "vabits_actual", "vectors", "_sdata"),
    ),
    # arch/arm64/kernel/setup.c, request_standard_resources(): the code starts at _text or
    # _stext, as the kernel's version has it.
    place=("Kernel data", "_sdata"),
    registers={
        "ip": Register(r"\bPC=([0-9a-f]+)"),
        "privilege": Register(r"\bEL([0-3])[ht]\b", 10),
    },
    system_registers=(
        *("TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "TTBR0_EL2", "TTBR1_EL2", "TCR_EL2", "HCR_EL2"),
    ),
    user_mode=r"\bEL0t\b",
)

_I386 = Target(
    arch="i386",
    debian="i386",
    qemu="qemu-system-i386",
    machine="q35",
    cpu="qemu32,+rdrand",
    console="ttyS0",
    firmware="seabios",
    kernels={"default": "linux-image-686-pae", "nopae": "linux-image-686"},
    symbols=("swapper_pg_dir", "initial_page_table", "idt_table", "asm_exc_divide_error"),
    registers={**_X86_64.registers, "cr4": Register(r"\bCR4=([0-9a-f]+)")},
    user_mode=_X86_64.user_mode,
    word=4,
)

_S390X = Target(
    arch="s390x",
    debian="s390x",
    qemu="qemu-system-s390x",
    machine="s390-ccw-virtio",
    cpu="max",
    console="ttysclp0",
    firmware="direct",
    kernels={"default": "linux-image-s390x", "development": "linux-image-s390x"},
    symbols=("swapper_pg_dir", "invalid_pg_dir", "__kaslr_offset", "S390_lowcore", "lowcore_ptr"),
    registers={
        "ip": Register(r"\bPSW=mask [0-9a-f]+ addr ([0-9a-f]+)"),
        "psw_mask": Register(r"\bPSW=mask ([0-9a-f]+)"),
        "cr1": Register(r"\bC01=([0-9a-f]+)"),
        "cr7": Register(r"\bC07=([0-9a-f]+)"),
        "cr13": Register(r"\bC13=([0-9a-f]+)"),
    },
    # The PSW's problem-state bit is number 15, of 64 from the left.
    user_mode=r"\bPSW=mask [0-9a-f]{3}[13579bdf]",
    byte_order="big",
)

_PPC64LE = Target(
    arch="ppc64le",
    debian="ppc64el",
    qemu="qemu-system-ppc64",
    machine="pseries",
    cpu="power9",
    console="hvc0",
    firmware="slof",
    kernels={
        "default": "linux-image-powerpc64le",
        "development": "linux-image-powerpc64le",
    },
    symbols=(
        *("swapper_pg_dir", "kernstart_addr", "memstart_addr", "__pte_index_size", "cur_cpu_spec"),
        *("__pmd_index_size", "__pud_index_size", "__pgd_index_size", "process_tb", "partition_tb"),
    ),
    registers={
        "ip": Register(r"\bNIP ([0-9a-f]+)"),
        "msr": Register(r"\bMSR ([0-9a-f]+)"),
    },
    # MSR[PR]
    user_mode=r"\bMSR [0-9a-f]{12}[4-7c-f]",
    # arch/powerpc/include/asm/page.h: the image is part of the linear mapping.
    place=0xC000000000000000,
)

_RISCV64 = Target(
    arch="riscv64",
    debian="riscv64",
    qemu="qemu-system-riscv64",
    machine="virt",
    cpu="rv64",
    console="ttyS0",
    firmware="opensbi",
    kernels={"development": "linux-image-riscv64"},
    # Debian 12 has no packages of this architecture.
    built={
        "default": Build(
            "linux-source-6.12",
            ("riscv64.config",),
            arch="riscv",
            image="arch/riscv/boot/Image",
            cross="riscv64-linux-gnu-",
        )
    },
    busybox=False,
    symbols=(
        *("swapper_pg_dir", "early_pg_dir", "kernel_map", "satp_mode", "phys_ram_base"),
        *("pgtable_l4_enabled", "pgtable_l5_enabled", "_start", "handle_exception"),
    ),
    registers={
        "ip": Register(r"\bpc +([0-9a-f]+)"),
        "satp": Register(r"\bsatp +([0-9a-f]+)"),
        "stvec": Register(r"\bstvec +([0-9a-f]+)"),
    },
    # A program without libraries lies there; what runs before the kernel lies above.
    user_mode=r"\bpc +00000000000[0-9a-f]{5}\b",
)

TARGETS: Mapping[Arch, Target] = {
    target.arch: target for target in (_X86_64, _AARCH64, _I386, _S390X, _PPC64LE, _RISCV64)
}
