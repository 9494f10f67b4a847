# SPDX-License-Identifier: GPL-3.0-or-later
"""Forged kernels, written into the memory of a dump as an adversary in the guest would.

Each function is one attack of docs/security.md. What a user program can lay out knows
only the distribution's kernel: its banner and the addresses it is linked for, see
:class:`Build`. What needs more power says so.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .altered import PAGE, Altered
from .target import START_KERNEL_MAP
from .vmlinux_writer import FullVmlinux

PMD = 2 << 20
_TABLE, _LARGE = 0x63, 0xE3  # present, writable, accessed, dirty; and a page of 2 MiB
_SYMBOLS = (
    *("_text", "_stext", "_end", "linux_banner", "phys_base", "init_top_pgt", "__start_notes"),
    *("__stop_notes", "elfcorehdr_addr", "init_uts_ns", "level2_kernel_pgt"),
)


@dataclass(frozen=True)
class Build:
    """What anybody knows of a distribution's kernel: its banner, notes, linked addresses."""

    banner: bytes
    notes: bytes
    linked: dict[str, int]

    @classmethod
    def of(cls, vmlinux: Path) -> Build:
        """The facts in a vmlinux."""
        full = FullVmlinux(vmlinux)
        linked = {symbol.name: symbol.value for symbol in full.symbols(_SYMBOLS)}
        banner = full.read(linked["linux_banner"], 1024).partition(b"\0")[0]
        notes = full.read(full.notes.sh_addr, full.notes.sh_size)
        return cls(banner, notes, linked)

    def at(self, text_paddr: int, name: str) -> int:
        """Where a symbol lies in an image whose ``_text`` is at ``text_paddr``."""
        return text_paddr + self.linked[name] - self.linked["_text"]


def table(paddr: int, text_vaddr: int, text_paddr: int, size: int = PMD) -> bytes:
    """A page that is its own upper tables and maps ``size`` bytes of text."""
    entries = [0] * 512
    entries[510] = entries[511] = paddr | _TABLE
    first = text_vaddr >> 21 & 511
    for number in range(size // PMD):
        entries[first + number] = text_paddr + number * PMD | _LARGE
    return struct.pack("<512Q", *entries)


def image(
    memory: Altered, build: Build, text_paddr: int, phys_base: int, *, notes: bool = False
) -> None:
    """The pages that bear out an image: banner, ``phys_base``, a table that maps it."""
    text_vaddr = text_paddr - phys_base + START_KERNEL_MAP
    top = build.at(text_paddr, "init_top_pgt")
    memory.write(build.at(text_paddr, "linux_banner"), build.banner + b"\0")
    memory.write(build.at(text_paddr, "phys_base"), struct.pack("<q", phys_base))
    memory.write(top, table(top, text_vaddr, text_paddr))
    if notes:
        memory.write(build.at(text_paddr, "__start_notes"), build.notes)


def decoys(memory: Altered, build: Build, places: Iterable[int]) -> None:
    """User: three pages for each place, ``phys_base`` zero everywhere."""
    for place in places:
        image(memory, build, place, 0)


def vmcoreinfo(build: Build, release: str, text_paddr: int, top: int, phys_base: int) -> bytes:
    """A text that puts the image at ``text_paddr`` and its top-level table at ``top``."""
    text = text_paddr - phys_base + START_KERNEL_MAP
    lines = (
        f"OSRELEASE={release}",
        "PAGESIZE=4096",
        f"SYMBOL(init_uts_ns)={build.linked['init_uts_ns']:x}",
        "OFFSET(uts_namespace.name)=0",
        f"SYMBOL(swapper_pg_dir)={top - phys_base + START_KERNEL_MAP:x}",
        f"SYMBOL(_stext)={text:x}",
        f"NUMBER(phys_base)={phys_base}",
        "NUMBER(pgtable_l5_enabled)=0",
        f"KERNELOFFSET={text - build.linked['_text']:x}",
    )
    return ("\n".join(lines) + "\n").encode().ljust(1800, b"#") + b"\n"


def claims(memory: Altered, build: Build, place: int, count: int, release: str) -> None:
    """User: texts, each with a table that maps itself, and one banner, all in 2 MiB.

    The tables map the block that they lie in, as read-only data too.
    """
    banner = f"Linux version {release} (a@b) (gcc) #1 SMP Thu Jan 1 1970\n".encode()
    memory.write(place + PMD - PAGE, banner + b"\0")
    for number in range(count):
        top = place + (1 + 2 * number) * PAGE
        phys_base = place - (64 + number) * PMD
        text_vaddr = place - phys_base + START_KERNEL_MAP
        memory.write(top, table(top, text_vaddr, place))
        memory.write(top + PAGE, vmcoreinfo(build, release, place, top, phys_base))


def capture(memory: Altered, build: Build, live: dict[str, Any], place: int, header: int) -> None:
    """Kernel: one 8-byte write makes the live kernel a capture kernel, an image its victim."""
    memory.write(int(live["text_paddr"], 16) + build.linked["elfcorehdr_addr"]
                 - build.linked["_text"], struct.pack("<Q", header))  # fmt: skip
    image(memory, build, place, place - PMD * 8, notes=True)
    text = START_KERNEL_MAP + PMD * 8
    size = build.linked["_end"] - build.linked["_text"]
    memory.write(header, b"\x7fELF\x02\x01\x01".ljust(16, b"\0"))
    memory.write(header + 32, struct.pack("<Q", 64))
    memory.write(header + 54, struct.pack("<HH", 56, 1))
    memory.write(header + 64, struct.pack("<IIQQQQQQ", 1, 7, place, text, place, size, size, 0))


def bend(memory: Altered, build: Build, live: dict[str, Any], place: int, share: float) -> int:
    """Kernel: a part of the live kernel's level-2 table leads to another place.

    ``share`` of the image's blocks, from the end, are mapped to where they would lie in an
    image at ``place``. Returns how many.
    """
    lower = build.at(int(live["text_paddr"], 16), "level2_kernel_pgt")
    page = memory.page(lower)
    assert page is not None
    entries = list(struct.unpack("<512Q", page))
    first = int(live["text_vaddr"], 16) >> 21 & 511
    blocks = -(-(build.linked["_end"] - build.linked["_text"]) // PMD)
    bent = range(first + round(blocks * (1 - share)), first + blocks)
    for index in bent:
        entries[index] = place + (index - first) * PMD | _LARGE
    memory.write(lower, struct.pack("<512Q", *entries))
    return len(bent)


def free_places(memory: Altered, build: Build, text_paddr: int, taken: set[int]) -> list[int]:
    """2 MiB places whose forged pages would hit neither the kernel nor the ``taken`` pages.

    Those below the kernel come last, the nearest at the end.
    """
    size = build.linked["_end"] - build.linked["_text"] + PMD
    ram = max(memory.ram, key=lambda r: r.size)
    places = [
        place
        for place in range(max(ram.start, 16 << 20), ram.end - size, PMD)
        if not text_paddr - size < place < text_paddr + size
        and not any(at in taken for at in _forged_pages(build, place))
    ]
    return sorted(places, key=lambda place: (place < text_paddr, place))


def _forged_pages(build: Build, place: int) -> list[int]:
    firsts = [build.at(place, n) & -PAGE for n in ("linux_banner", "phys_base", "init_top_pgt")]
    return [page for first in firsts for page in (first, first + PAGE)]
