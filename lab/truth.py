# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest said of itself on its console, and what follows from that."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import LabError
from .target import Target

_NT_GNU_BUILD_ID = 3
_AT_PAGESZ = 6  # Linux include/uapi/linux/auxvec.h


@dataclass(slots=True)
class Truth:
    """One kernel as it described itself; addresses are plain ints.

    Attributes:
        linked: where its vmlinux has its symbols; see :meth:`complete`.
        vmcoreinfo: physical address and size of its VMCOREINFO note.
    """

    label: str
    target: Target
    release: str = ""
    banner: str = ""
    cmdline: str = ""
    build_id: str = ""
    online: str = ""
    la57: bool = False
    mmu: str = ""
    page_size: int = 0
    vmcoreinfo: tuple[int, int] | None = None
    iomem: list[tuple[int, int, str]] = field(default_factory=list)
    symbols: dict[str, int] = field(default_factory=dict)
    linked: Mapping[str, int] = field(default_factory=dict)

    def complete(self, linked: Mapping[str, int]) -> None:
        """Take what kallsyms does not show from the addresses that vmlinux is linked for.

        Raises:
            LabError: ``linked`` has not even those that its place is told by.
        """
        needed = {"_text", "_stext", *self.target.place_symbol}
        if not needed <= linked.keys():
            raise LabError(f"the vmlinux of {self.release} lacks one of {', '.join(needed)}")
        self.linked = linked
        move = self.symbols["_stext"] - linked["_stext"]
        for name, value in linked.items():
            self.symbols.setdefault(name, value + move)

    @property
    def text_vaddr(self) -> int:
        """Run-time address of ``_text``."""
        return self.symbols["_text"]

    @property
    def text_paddr(self) -> int:
        """Physical address of ``_text``."""
        return self.paddr("_text")

    @property
    def kimage_voffset(self) -> int:
        """From a physical to a virtual address of the kernel's image."""
        if isinstance(self.target.place, int):
            return self.target.place
        part, symbol = self.target.place
        start = next(start for start, _, name in self.iomem if name == part)
        return self.symbols[symbol] - start

    @property
    def kaslr_offset(self) -> int | None:
        """From where the image was linked to where it is; None without its vmlinux."""
        return self.text_vaddr - self.linked["_text"] if self.linked else None

    def paddr(self, name: str) -> int:
        """Physical address of a symbol of the image."""
        return self.symbols[name] - self.kimage_voffset

    @property
    def phys_base(self) -> int | None:
        """Linux ``phys_base`` (arch/x86/kernel/head_64.S), signed; None where there is none."""
        kernel_map = self.target.kernel_map
        return None if kernel_map is None else kernel_map - self.kimage_voffset

    def to_json(self) -> dict[str, Any]:
        """The facts in the words of ``qemufix physbase --json``, and more."""
        vmcoreinfo_paddr = self.vmcoreinfo[0] if self.vmcoreinfo else None
        return {
            "arch": self.target.arch,
            "phys_base": _optional(self.phys_base),
            "kaslr_offset": _optional(self.kaslr_offset),
            "text_vaddr": hex64(self.text_vaddr),
            "text_paddr": hex64(self.text_paddr),
            "kimage_voffset": hex64(self.kimage_voffset),
            "release": self.release,
            "banner": self.banner,
            "build_id": self.build_id,
            "page_size": self.page_size,
            "vmcoreinfo_paddr": _optional(vmcoreinfo_paddr),
            "cmdline": self.cmdline,
            "online": self.online,
            "symbols": {name: hex64(value) for name, value in sorted(self.symbols.items())},
        }


def hex64(value: int) -> str:
    """Lower-case hex with 0x; negative numbers in 64-bit two's complement."""
    return f"{value & 0xFFFFFFFFFFFFFFFF:#x}"


def _optional(value: int | None) -> str | None:
    return None if value is None else hex64(value)


def parse(console: str, target: Target) -> list[Truth]:
    """The truths told on a console, in order.

    Raises:
        LabError: one lacks ``_stext``, its kernel's place or the size of a page.
    """
    blocks = re.findall(r"=== LAB TRUTH BEGIN (\w+)\n(.*?)=== LAB TRUTH END \1\n", console, re.S)
    return [_parse_block(Truth(label, target), text) for label, text in blocks]


def _parse_block(truth: Truth, text: str) -> Truth:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        _take(truth, key, value)
    if "_stext" not in truth.symbols:
        raise LabError("the guest's kallsyms did not show _stext")
    place = truth.target.place
    if not isinstance(place, int) and place[0] not in {name for _, _, name in truth.iomem}:
        raise LabError("the guest's /proc/iomem did not show its kernel")
    if not truth.page_size:
        raise LabError("the guest did not show the size of its pages")
    return truth


def _take(truth: Truth, key: str, value: str) -> None:
    target = truth.target
    match key:
        case "release" | "cmdline" | "online" | "mmu":
            setattr(truth, key, value)
        case "version":
            truth.banner = value
        case "vmcoreinfo" if value:
            paddr, size = value.split()
            truth.vmcoreinfo = int(paddr, 16), int(size, 16)
        case "notes":
            truth.build_id = build_id(bytes.fromhex(value), target)
        case "auxv":
            truth.page_size = page_size(bytes.fromhex(value), target)
        case "la57":
            truth.la57 = value != "0"
        case "iomem":
            extent, _, name = value.partition(" : ")
            start, _, last = extent.partition("-")
            truth.iomem.append((int(start, 16), int(last, 16) + 1, name))
        case "symbol":
            address, _, name = value.split()[:3]
            truth.symbols.setdefault(name, int(address, 16))


def page_size(auxv: bytes, target: Target) -> int:
    """The size of a page in an auxiliary vector as /proc/self/auxv holds it; 0 if it is not."""
    words = [
        int.from_bytes(auxv[at : at + target.word], target.byte_order)
        for at in range(0, len(auxv), target.word)
    ]
    return dict(zip(words[::2], words[1::2], strict=False)).get(_AT_PAGESZ, 0)


def build_id(notes: bytes, target: Target) -> str:
    """The GNU build ID among ELF notes as /sys/kernel/notes holds them; "" if there is none."""
    header = struct.Struct("<3I" if target.byte_order == "little" else ">3I")
    at = 0
    while at + header.size <= len(notes):
        namesz, descsz, kind = header.unpack_from(notes, at)
        name = notes[at + 12 : at + 12 + namesz]
        desc = at + 12 + (namesz + 3 & ~3)
        if kind == _NT_GNU_BUILD_ID and name == b"GNU\0":
            return notes[desc : desc + descsz].hex()
        at = desc + (descsz + 3 & ~3)
    return ""
