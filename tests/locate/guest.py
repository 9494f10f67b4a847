# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer of guest memory: kernels in states that are hard to boot, page by page.

What real guests can show is tested on real guests; this makes the rest: memory
encryption bits in page tables, old symbol names, odd link addresses, forged texts,
broken tables. It writes what the kernel would have written, from its own constants;
nothing of the code under test is used to lay it out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from crashext.dumps.base import Dump, Note, Range
from crashext.errors import MissingMemory

MAP = 0xFFFFFFFF80000000
DIRECT_MAP = 0xFFFF888000000000
DIRECT_MAP_L5 = 0xFF11000000000000
VMEMMAP, VMEMMAP_L5 = 0xFFFFEA0000000000, 0xFFD4000000000000
ENTRY_AREA = 0xFFFFFE0000000000
PAGE = 4096
PMD = 2 << 20
MIB = 1 << 20

# Image layout, offsets from _text: text 2 MiB, rodata 2 MiB, data and bss 4 MiB.
TEXT, RODATA, DATA, SIZE = 0, 2 * MIB, 4 * MIB, 8 * MIB
RODATA_SIZE = 256 << 10
_TABLE = 0x163


class MemoryDump(Dump):
    """A dump whose memory is a dict of pages; absent pages of RAM read as zeros."""

    def __init__(self, guest: Guest) -> None:
        self.path, self.format, self.arch = "guest", "elf", "x86_64"
        self.byte_order, self.page_size, self.header = "little", PAGE, None
        self.notes = tuple(cpu.note() for cpu in guest.cpus)
        self.ram = (Range(0, guest.ram),)
        self.vmcoreinfo = guest.note
        self.complete = True
        self.pages = guest.pages
        self.reads = 0

    def read(self, paddr: int, size: int) -> bytes:
        self.reads += -(-(paddr % PAGE + size) // PAGE)
        if paddr < 0 or paddr + size > self.ram[0].end:
            raise MissingMemory(paddr=paddr)
        frames = range(paddr // PAGE, -(-(paddr + size) // PAGE))
        data = b"".join(bytes(self.pages.get(pfn, bytes(PAGE))) for pfn in frames)
        return data[paddr % PAGE : paddr % PAGE + size]

    def page_heads(self, size: int) -> Iterator[tuple[int, bytes]]:
        for pfn in sorted(self.pages):
            yield pfn * PAGE, bytes(self.pages[pfn][:size])

    def close(self) -> None: ...


@dataclass
class Cpu:
    """Registers as QEMU's note has them."""

    cr3: int = 0
    cr4: int = 0x6F0
    cr0: int = 0x80050033
    cs: int = 0x10
    rip: int = MAP + 0x1000000
    idt: int = ENTRY_AREA
    idt_limit: int = 0xFFF

    def note(self) -> Note:
        desc = bytearray(440)
        struct.pack_into("<II", desc, 0, 1, 440)
        struct.pack_into("<Q", desc, 136, self.rip)
        struct.pack_into("<III", desc, 152, self.cs, 0xFFFFFFFF, 1 << 21)
        struct.pack_into("<I", desc, 372, self.idt_limit)
        struct.pack_into("<Q", desc, 384, self.idt)
        struct.pack_into("<Q", desc, 392, self.cr0)
        struct.pack_into("<Q", desc, 416, self.cr3)
        struct.pack_into("<Q", desc, 424, self.cr4)
        return Note("QEMU", 0, bytes(desc), 0)


@dataclass
class Kernel:
    """One kernel build and where it lies. ``link`` is _text's linked address."""

    text_paddr: int = 0x3000000
    kaslr: int = 0x1E00000
    release: str = "6.1.0-test"
    build_id: bytes = bytes(range(20))
    link: int = MAP + 0x1000000
    levels: int = 4
    cbit: int = 0
    old_names: bool = False
    old_pages: bool = False
    static_vmcoreinfo: bool = False
    fred: bool = False
    vmcoreinfo_page: int = 0x100000
    command_line: str = "console=ttyS0 quiet"
    memory_map_page: int = 0x18000000
    reserved: tuple[int, int] = (0, 0)
    panic_cpu: int = -1

    @property
    def banner(self) -> bytes:
        return f"Linux version {self.release} (me@here) (gcc) #1 SMP Mon Jan 1 2024\n".encode()

    @property
    def phys_base(self) -> int:
        return self.text_paddr - (self.link + self.kaslr - MAP)

    def symbols(self) -> dict[str, int]:
        """Linked addresses."""
        base = self.link
        old = self.old_names
        return {
            "_text": base,
            "_stext": base,
            "_etext": base + RODATA,
            "__start_rodata": base + RODATA,
            "__end_rodata": base + RODATA + RODATA_SIZE,
            "divide_error" if old else "asm_exc_divide_error": base + 0x990,
            "linux_banner": base + RODATA + 0x60,
            "__start_notes": base + RODATA + 0x1000,
            "__stop_notes": base + RODATA + 0x1024,
            "init_level4_pgt" if old else "init_top_pgt": base + DATA,
            "level3_kernel_pgt": base + DATA + 0x1000,
            "level2_kernel_pgt": base + DATA + 0x2000,
            "phys_base": base + DATA + 0x3010,
            "vmcoreinfo_data": base + DATA + 0x4000,
            "idt_table": base + DATA + 0x5000,
            "elfcorehdr_addr": base + DATA + 0x3020,
            "system_state": base + DATA + 0x3028,
            "page_offset_base": base + DATA + 0x3030,
            "vmemmap_base": base + DATA + 0x3038,
            "saved_command_line": base + DATA + 0x3040,
            "panic_cpu": base + DATA + 0x3048,
            "crashk_res": base + DATA + 0x3050,
        }

    def run(self, name: str) -> int:
        """Run-time address of a symbol."""
        return self.symbols()[name] + self.kaslr

    def paddr(self, name: str) -> int:
        return self.symbols()[name] - self.link + self.text_paddr

    @property
    def root(self) -> int:
        return self.paddr("init_level4_pgt" if self.old_names else "init_top_pgt")

    def body(self) -> tuple[bytes, bytes]:
        """Text and read-only data: the same bytes in every image of this build."""
        noise = Random(self.build_id + self.release.encode())
        rodata = bytearray(noise.randbytes(RODATA_SIZE))
        rodata[0x60 : 0x60 + len(self.banner) + 1] = self.banner + b"\0"
        rodata[0x1000 : 0x1000 + len(notes(self.build_id))] = notes(self.build_id)
        return noise.randbytes(RODATA), bytes(rodata)

    @property
    def direct_map(self) -> int:
        return DIRECT_MAP_L5 if self.levels == 5 else DIRECT_MAP

    @property
    def memory_map(self) -> int:
        return VMEMMAP_L5 if self.levels == 5 else VMEMMAP

    def vmcoreinfo(self) -> bytes:
        lines = [
            f"OSRELEASE={self.release}",
            f"BUILD-ID={self.build_id.hex()}",
            "PAGESIZE=4096",
            f"SYMBOL(swapper_pg_dir)={self.root - self.phys_base + MAP:x}",
            f"SYMBOL(_stext)={self.run('_stext'):x}",
            f"NUMBER(phys_base)={self.phys_base}",
            f"KERNELOFFSET={self.kaslr:x}",
        ]
        return "\n".join(lines).encode() + b"\n"


@dataclass
class Guest:
    """Guest memory under construction."""

    ram: int = 512 * MIB
    pages: dict[int, bytearray] = field(default_factory=dict)
    cpus: list[Cpu] = field(default_factory=list)
    note: bytes | None = None

    def write(self, paddr: int, data: bytes) -> None:
        while data:
            page = self.pages.setdefault(paddr // PAGE, bytearray(PAGE))
            take = min(len(data), PAGE - paddr % PAGE)
            page[paddr % PAGE : paddr % PAGE + take] = data[:take]
            paddr, data = paddr + take, data[take:]

    def u64(self, paddr: int, value: int) -> None:
        self.write(paddr, struct.pack("<Q", value & (1 << 64) - 1))

    def map(
        self, root: int, vaddr: int, paddr: int, kernel: Kernel, spare: int, level: int = 1
    ) -> None:
        """Map one page of a ``level`` (1: 4 KiB), with tables taken from ``spare`` upwards."""
        table = root
        for above in range(kernel.levels, level, -1):
            at = table + (vaddr >> (12 + 9 * (above - 1)) & 511) * 8
            entry = int.from_bytes(
                self.pages.get(at // PAGE, bytes(PAGE))[at % PAGE :][:8], "little"
            )
            if not entry:
                self.u64(at, spare | _TABLE | kernel.cbit)
                entry, spare = spare, spare + PAGE
            table = entry & 0xFFFFFFFFF000 & ~kernel.cbit
        index = vaddr >> (12 + 9 * (level - 1)) & 511
        self.u64(table + index * 8, paddr | (0x163 if level == 1 else 0x1E3) | kernel.cbit)

    def boot(self, kernel: Kernel) -> None:
        """Write a kernel that is up: image, page tables, memory map, IDT, VMCOREINFO."""
        self._image(kernel)
        self._tables(kernel)
        self._account(kernel)
        page = kernel.vmcoreinfo_page
        if kernel.static_vmcoreinfo:
            self.write(kernel.paddr("vmcoreinfo_data"), kernel.vmcoreinfo())
        else:
            self.write(page, kernel.vmcoreinfo())
            self.u64(kernel.paddr("vmcoreinfo_data"), kernel.direct_map + page)
        self.write(page + PAGE, kernel.command_line.encode() + b"\0")
        self.u64(kernel.paddr("saved_command_line"), kernel.direct_map + page + PAGE)
        handler = kernel.run("divide_error" if kernel.old_names else "asm_exc_divide_error")
        if not kernel.fred:
            self.write(kernel.paddr("idt_table"), gate(handler))
            self.map(kernel.root, ENTRY_AREA, kernel.paddr("idt_table"), kernel, page + 0x20000)

    def run_cpu(self, kernel: Kernel, **registers: int) -> Cpu:
        """Add a vCPU that runs in ``kernel``."""
        cr4 = 0x6F0 | (1 << 12 if kernel.levels == 5 else 0)
        cpu = Cpu(cr3=kernel.root | kernel.cbit, cr4=cr4, rip=kernel.run("_text"))
        if kernel.fred:
            cpu.idt = cpu.idt_limit = 0
        for name, value in registers.items():
            setattr(cpu, name, value)
        self.cpus.append(cpu)
        return cpu

    def dump(self) -> MemoryDump:
        return MemoryDump(self)

    def _image(self, kernel: Kernel) -> None:
        text, rodata = kernel.body()
        self.write(kernel.paddr("_text"), text)
        self.write(kernel.paddr("__start_rodata"), rodata)
        self.u64(kernel.paddr("phys_base"), kernel.phys_base)
        self.u64(kernel.paddr("elfcorehdr_addr"), -1)
        self.u64(kernel.paddr("page_offset_base"), kernel.direct_map)
        self.u64(kernel.paddr("vmemmap_base"), kernel.memory_map)
        self.write(kernel.paddr("panic_cpu"), struct.pack("<i", kernel.panic_cpu))
        self.write(kernel.paddr("crashk_res"), struct.pack("<2Q", *kernel.reserved))
        self.write(kernel.paddr("system_state"), struct.pack("<I", 3))

    def _account(self, kernel: Kernel) -> None:
        """The direct map, in pages of 1 GiB, and a struct page for each page of text."""
        spare = kernel.paddr("level2_kernel_pgt") + 0x20000
        ram = max(self.ram, kernel.text_paddr + 64 * MIB)
        for start in range(0, ram, 1 << 30):
            self.map(kernel.root, kernel.direct_map + start, start, kernel, spare, level=3)
        for start in range(0, ram // PAGE * 64, PMD):
            paddr = kernel.memory_map_page + start
            self.map(kernel.root, kernel.memory_map + start, paddr, kernel, spare + 0x2000, level=2)
        self.struct_pages(kernel, RODATA)

    def struct_pages(self, kernel: Kernel, size: int) -> None:
        """The struct pages of so much of the image, as of reserved memory."""
        for pfn in range(kernel.text_paddr // PAGE, (kernel.text_paddr + size) // PAGE):
            at, vaddr = kernel.memory_map_page + pfn * 64, kernel.memory_map + pfn * 64
            flags = 1 << 12 | 1 << 62
            if kernel.old_pages:
                page = struct.pack("<Q16xii2Q16x", flags, -1, 1, vaddr + 32, vaddr + 32)
            else:
                page = struct.pack("<3Q24xii8x", flags, vaddr + 8, vaddr + 8, -1, 1)
            self.write(at, page)

    def _tables(self, kernel: Kernel) -> None:
        root = kernel.root
        pud, pmd = kernel.paddr("level3_kernel_pgt"), kernel.paddr("level2_kernel_pgt")
        if kernel.levels == 5:
            p4d = pmd + 0x10000
            self.u64(root + 511 * 8, p4d | _TABLE | kernel.cbit)
            root = p4d
        self.u64(root + 511 * 8, pud | _TABLE | kernel.cbit)
        self.u64(pud + 510 * 8, pmd | _TABLE | kernel.cbit)
        first = (kernel.run("_text") - MAP) // PMD
        for index in range(SIZE // PMD):
            rights = 0x1E3 if index >= DATA // PMD else 0x1A1
            nx = 0 if index < RODATA // PMD else 1 << 63
            entry = kernel.text_paddr + index * PMD | rights | nx | kernel.cbit
            self.u64(pmd + (first + index) * 8, entry)


def gate(handler: int) -> bytes:
    return struct.pack(
        "<HHHHII", handler & 0xFFFF, 0x10, 0x8E00, handler >> 16 & 0xFFFF, handler >> 32, 0
    )


def notes(build_id: bytes) -> bytes:
    return struct.pack("<III4s", 4, len(build_id), 3, b"GNU\0") + build_id


def write_vmlinux(kernel: Kernel, path: Path) -> str:
    """A tiny ELF with the kernel's symbols, banner and build ID; returns its path."""
    symbols = kernel.symbols()
    strings, entries = b"\0", bytes(24)
    for name, value in symbols.items():
        entries += struct.pack("<IBBHQQ", len(strings), 0x10, 0, 1, value, 0)
        strings += name.encode() + b"\0"
    text, rodata = kernel.body()
    names = b"\0.rodata\0.notes\0.symtab\0.strtab\0.shstrtab\0"
    at_text = PAGE
    at_rodata = at_text + len(text)
    at_symbols = at_rodata + len(rodata)
    at_strings = at_symbols + len(entries)
    at_names = at_strings + len(strings)
    at_sections = at_names + len(names)
    vaddr = kernel.link + RODATA

    def section(*fields: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", *fields)

    sections = (
        bytes(64)
        + section(1, 1, 2, vaddr, at_rodata, len(rodata), 0, 0, 16, 0)
        + section(9, 7, 2, vaddr + 0x1000, at_rodata + 0x1000, 0x24, 0, 0, 4, 0)
        + section(16, 2, 0, 0, at_symbols, len(entries), 4, 1, 8, 24)
        + section(24, 3, 0, 0, at_strings, len(strings), 0, 0, 1, 0)
        + section(32, 3, 0, 0, at_names, len(names), 0, 0, 1, 0)
    )
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 64, at_sections, 0, 64, 56, 1,
        64, 6, 5,
    )  # fmt: skip
    size = len(text) + len(rodata)
    load = struct.pack("<IIQQQQQQ", 1, 5, at_text, kernel.link, 0, size, size, 4096)
    head = (header + load).ljust(PAGE, b"\0")
    path.write_bytes(head + text + rodata + entries + strings + names + sections)
    return str(path)
