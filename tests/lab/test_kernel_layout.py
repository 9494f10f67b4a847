# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a guest's memory and registers, and that its sources have to agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.errors import LabError
from lab.layout import Layout, look
from lab.target import TARGETS, Arch
from lab.truth import Truth

BANNER = "Linux version 6.1.0-test (a@b) #1 SMP"
VOFFSET = 0xFFFFD3A1A9800000
PLACE = 0x40200000
INFO = 0x50000000
TEXT = b"""\
PAGESIZE=4096
NUMBER(TCR_EL1_T1SZ)=0x10
NUMBER(PHYS_OFFSET)=0xfffffd22c0000000
NUMBER(kimage_voffset)=0xffffd3a1a9800000
KERNELOFFSET=53a1e1a00000
"""


@dataclass
class _Memory:
    """Stretches of memory by their addresses; ``mapped`` is what the page tables say."""

    content: dict[int, bytes] = field(default_factory=dict)
    mapped: int | None = None

    def read(self, paddr: int, size: int) -> bytes:
        return self.content.get(paddr, b"")[:size].ljust(size, b"\0")

    def translate(self, _: int) -> int | None:
        return self.mapped


def _told(arch: Arch, symbols: dict[str, int], voffset: int, page_size: int = 4096) -> Truth:
    told = Truth("running", TARGETS[arch], banner=BANNER, page_size=page_size)
    told.iomem = [(PLACE, PLACE + 1, name) for name in ("Kernel code", "Kernel data")]
    at = dict.fromkeys(("_text", "_start", "_stext", *told.target.place_symbol), PLACE + voffset)
    told.symbols = at | {n: voffset + paddr & (1 << 64) - 1 for n, paddr in symbols.items()}
    told.linked = dict.fromkeys(("_text", "_start"), 0xFFFF800008000000)
    return told


def _arm64() -> tuple[Truth, list[dict[str, str | int]], _Memory]:
    symbols = {"memstart_addr": 0x41000000, "linux_banner": 0x41100000}
    told = _told("aarch64", symbols, VOFFSET)
    told.vmcoreinfo = (INFO, 0x1024)
    memory = _Memory(
        {
            0x41000000: bytes.fromhex("000000c022fdffff"),
            0x41100000: BANNER.encode(),
            INFO: TEXT,
        },
        mapped=0x41100000,
    )
    return told, [{"tcr": "0x500074b5503510"}], memory


def test_arm64() -> None:
    assert look(*_arm64()) == Layout(48, 4, phys_offset=0xFFFFFD22C0000000)


def test_without_a_vmlinux_the_kernel_says_where_it_was_linked() -> None:
    told, cpus, memory = _arm64()
    told.linked = {}
    look(told, cpus, memory)
    assert told.kaslr_offset == 0x53A1E1A00000


def test_arm64_with_52_bits() -> None:
    told, _, memory = _arm64()
    memory.content[INFO] = TEXT.replace(b"=0x10", b"=0xc")
    assert look(told, [{"tcr": "0x95001f6b54c350c"}], memory).page_table_levels == 5


def test_arm64_with_larger_pages() -> None:
    told, cpus, memory = _arm64()
    told.page_size = 16384
    memory.content[INFO] = TEXT.replace(b"4096", b"16384")
    assert look(told, cpus, memory).page_table_levels == 4
    told.page_size = 65536
    memory.content[INFO] = TEXT.replace(b"4096", b"65536")
    assert look(told, cpus, memory).page_table_levels == 3


def test_in_user_mode_the_page_tables_may_say_nothing() -> None:
    told, cpus, memory = _arm64()
    memory.mapped = None
    assert look(told, cpus, memory).va_bits == 48


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({INFO: TEXT.replace(b"0x10", b"0x11")}, "^T1SZ: 0x10 and, as the kernel has it, 0x11$"),
        ({INFO: TEXT.replace(b"fd22c", b"fd23c")}, "^PHYS_OFFSET"),
        ({INFO: TEXT.replace(b"a9800", b"a9810")}, "^kimage_voffset"),
        ({INFO: TEXT.replace(b"=53a1", b"=53a2")}, "^KERNELOFFSET"),
        ({INFO: TEXT.replace(b"4096", b"65536")}, "^PAGESIZE"),
        ({0x41100000: b"Linux version 5"}, "^linux_banner: 0x41100000 does not hold"),
    ],
)
def test_sources_that_disagree_are_no_truth(change: dict[int, bytes], message: str) -> None:
    told, cpus, memory = _arm64()
    memory.content |= change
    with pytest.raises(LabError, match=message):
        look(told, cpus, memory)


def test_page_tables_that_lead_elsewhere_are_no_truth() -> None:
    told, cpus, memory = _arm64()
    memory.mapped = 0x41110000
    with pytest.raises(LabError, match="the page tables lead to 0x41110000"):
        look(told, cpus, memory)


@pytest.mark.parametrize(
    ("arch", "cpu", "bits", "levels"),
    [
        ("x86_64", {}, 48, 4),
        ("i386", {"cr4": "0x6b0"}, 32, 3),
        ("i386", {"cr4": "0x690"}, 32, 2),
        ("s390x", {"cr13": "0x1290007"}, 42, 3),
        ("s390x", {"cr13": "0x129000b"}, 53, 4),
        ("riscv64", {"satp": "0x8000000000081234"}, 39, 3),
        ("riscv64", {"satp": "0xa000000000081234"}, 57, 5),
    ],
)
def test_levels_of_other_architectures(
    arch: Arch, cpu: dict[str, Any], bits: int, levels: int
) -> None:
    symbols = {"linux_banner": 0x41100000, "phys_ram_base": 0x41000000}
    told = _told(arch, symbols, 0)
    found = look(told, [cpu], _Memory({0x41100000: BANNER.encode()}))
    assert (found.va_bits, found.page_table_levels) == (bits, levels)


def test_ppc64le_has_its_levels_in_variables() -> None:
    base = 0xC000000000000000
    sizes = {"__pte_index_size": 5, "__pmd_index_size": 9, "__pud_index_size": 9,
             "__pgd_index_size": 13}  # fmt: skip
    at = {name: 0x1000 + 8 * number for number, name in enumerate(sizes)}
    told = _told("ppc64le", {**at, "linux_banner": 0x41100000}, base, page_size=65536)
    memory = _Memory({at[name]: bytes([size]) + bytes(7) for name, size in sizes.items()})
    memory.content[0x41100000] = BANNER.encode()
    told.mmu = "Radix"
    assert look(told, [], memory) == Layout(52, 4)
    told.mmu = "Hash"
    assert look(told, [], memory) == Layout(None, None)
