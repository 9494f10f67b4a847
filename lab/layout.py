# SPDX-License-Identifier: GPL-3.0-or-later
"""How a kernel has laid out its addresses, read from the guest's memory and registers.

Each fact comes from where the kernel or the CPU keeps it. Where the kernel's own VMCOREINFO
text or QEMU's walk of the page tables says the same, they have to agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .errors import LabError
from .registers import Cpu
from .target import Arch
from .truth import Truth

_T1SZ_SHIFT, _TSZ_MASK = 16, 0x3F  # TCR_ELx
_CR4_PAE = 1 << 5
_U64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """What the guest can't say of itself.

    Attributes:
        va_bits: of a kernel address that count; None where the MMU goes by no tree of tables.
        page_table_levels: from the top table to that of the smallest pages; None likewise.
        phys_offset: the physical address that the linear mapping starts with, where the
            kernel chooses one.
    """

    va_bits: int | None
    page_table_levels: int | None
    phys_offset: int | None = None


class Memory(Protocol):
    """What is asked of a stopped guest."""

    def read(self, paddr: int, size: int) -> bytes:
        """Guest memory."""

    def translate(self, vaddr: int) -> int | None:
        """The physical address of ``vaddr`` on the first vCPU, None where it has none."""


def look(told: Truth, cpus: Sequence[Cpu], memory: Memory) -> Layout:
    """The layout of the kernel that told a truth.

    Raises:
        LabError: two sources do not agree.
    """
    return _LOOKS[told.target.arch](told, cpus, memory)


def _x86_64(told: Truth, _: Sequence[Cpu], __: Memory) -> Layout:
    return Layout(va_bits=57 if told.la57 else 48, page_table_levels=5 if told.la57 else 4)


def _aarch64(told: Truth, cpus: Sequence[Cpu], memory: Memory) -> Layout:
    """Linux arch/arm64: TCR_EL1.T1SZ, ``memstart_addr`` (mm/init.c), its vmcoreinfo."""
    t1sz = int(str(cpus[0]["tcr"]), 16) >> _T1SZ_SHIFT & _TSZ_MASK
    phys_offset = _variable(told, "memstart_addr", memory)
    page_bits = told.page_size.bit_length() - 1
    info = _vmcoreinfo(told, memory)
    _agree("kimage_voffset", told.kimage_voffset, info.get("NUMBER(kimage_voffset)"))
    _agree("PHYS_OFFSET", phys_offset, info.get("NUMBER(PHYS_OFFSET)"))
    _agree("T1SZ", t1sz, info.get("NUMBER(TCR_EL1_T1SZ)"))
    if told.kaslr_offset is not None:
        _agree("KERNELOFFSET", told.kaslr_offset, info.get("KERNELOFFSET"))
    elif "KERNELOFFSET" in info:
        told.linked = {"_text": told.text_vaddr - int(info["KERNELOFFSET"], 16)}
    _agree("PAGESIZE", told.page_size, info.get("PAGESIZE"), base=10)
    _agree_on_place(told, memory)
    va_bits = 64 - t1sz
    return Layout(va_bits, -(-(va_bits - page_bits) // (page_bits - 3)), phys_offset)


def _i386(told: Truth, cpus: Sequence[Cpu], memory: Memory) -> Layout:
    """Intel SDM volume 3: CR4.PAE."""
    _agree_on_place(told, memory)
    return Layout(32, 3 if int(str(cpus[0]["cr4"]), 16) & _CR4_PAE else 2)


def _s390x(told: Truth, cpus: Sequence[Cpu], memory: Memory) -> Layout:
    """z/Architecture Principles of Operation: the designation type of an ASCE.

    Of the kernel's own address space; that of a vCPU in user mode is another (CR1), so that of
    the home space (CR13) counts, which Linux keeps for itself.
    """
    _agree_on_place(told, memory)
    kind = int(str(cpus[0]["cr13"]), 16) >> 2 & 3
    return Layout(va_bits=31 + 11 * kind, page_table_levels=2 + kind)


def _ppc64le(told: Truth, _: Sequence[Cpu], memory: Memory) -> Layout:
    """Linux arch/powerpc/mm/init-common.c: bits that each level of the tables resolves.

    The MMU walks them where it is of the radix kind, as /proc/cpuinfo says.
    """
    _agree_on_place(told, memory)
    if told.mmu != "Radix":
        return Layout(None, None)
    names = ("__pte_index_size", "__pmd_index_size", "__pud_index_size", "__pgd_index_size")
    sizes = [_variable(told, name, memory) for name in names]
    return Layout(told.page_size.bit_length() - 1 + sum(sizes), sum(map(bool, sizes)))


def _riscv64(told: Truth, cpus: Sequence[Cpu], memory: Memory) -> Layout:
    """RISC-V privileged specification: satp.MODE is 8 for Sv39, 9 for Sv48, 10 for Sv57."""
    _agree_on_place(told, memory)
    info = _vmcoreinfo(told, memory)
    levels = (int(str(cpus[0]["satp"]), 16) >> 60) - 5
    phys_offset = _variable(told, "phys_ram_base", memory)
    _agree("phys_ram_base", phys_offset, info.get("NUMBER(phys_ram_base)"), base=10)
    _agree("va_kernel_pa_offset", told.kimage_voffset, info.get("NUMBER(va_kernel_pa_offset)"))
    _agree("VA_BITS", 12 + 9 * levels, info.get("NUMBER(VA_BITS)"), base=10)
    return Layout(12 + 9 * levels, levels, phys_offset)


_LOOKS: Mapping[Arch, Callable[[Truth, Sequence[Cpu], Memory], Layout]] = {
    "x86_64": _x86_64,
    "aarch64": _aarch64,
    "i386": _i386,
    "s390x": _s390x,
    "ppc64le": _ppc64le,
    "riscv64": _riscv64,
}


def _variable(told: Truth, name: str, memory: Memory) -> int:
    """A word of the kernel's data."""
    target = told.target
    return int.from_bytes(memory.read(told.paddr(name), target.word), target.byte_order)


def _vmcoreinfo(told: Truth, memory: Memory) -> dict[str, str]:
    """The kernel's own text, where it says that it lies."""
    if told.vmcoreinfo is None:
        return {}
    text = memory.read(*told.vmcoreinfo).decode("ascii", "replace")
    return dict(re.findall(r"^([\w.()]+)=(\S*)$", text, re.M))


def _agree(name: str, found: int, said: str | None, *, base: int = 16) -> None:
    if said is not None and found & _U64 != int(said, base) & _U64:
        raise LabError(f"{name}: {found & _U64:#x} and, as the kernel has it, {said}")


def _agree_on_place(told: Truth, memory: Memory) -> None:
    """The banner is where the kernel is said to be, and the page tables lead there.

    QEMU walks those of the first vCPU with its rights: in user mode it may see no kernel.
    """
    place = told.paddr("linux_banner")
    if memory.read(place, len(told.banner)) != told.banner.encode():
        raise LabError(f"linux_banner: {place:#x} does not hold what /proc/version says")
    mapped = memory.translate(told.symbols["linux_banner"])
    if mapped is not None and mapped != place:
        raise LabError(f"linux_banner: {place:#x}, but the page tables lead to {mapped:#x}")
