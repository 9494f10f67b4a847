# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest said of itself on its console, and what follows from that."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import LabError

# Start of the kernel's own mapping: Linux arch/x86/include/asm/page_64_types.h.
START_KERNEL_MAP = 0xFFFFFFFF80000000
_NT_GNU_BUILD_ID = 3
_PT_LOAD = 1


@dataclass(slots=True)
class Truth:
    """One kernel as it described itself; addresses are plain ints."""

    label: str
    release: str = ""
    banner: str = ""
    cmdline: str = ""
    build_id: str = ""
    online: str = ""
    page_table_levels: int = 4
    vmcoreinfo_paddr: int | None = None
    iomem: list[tuple[int, int, str]] = field(default_factory=list)
    symbols: dict[str, int] = field(default_factory=dict)

    @property
    def text_vaddr(self) -> int:
        """Run-time address of ``_text``."""
        return self.symbols["_text"]

    @property
    def text_paddr(self) -> int:
        """Physical address of ``_text``: /proc/iomem's "Kernel code" starts there."""
        return next(start for start, _, name in self.iomem if name == "Kernel code")

    @property
    def phys_base(self) -> int:
        """Linux ``phys_base`` (arch/x86/kernel/head_64.S), signed."""
        return self.text_paddr - (self.text_vaddr - START_KERNEL_MAP)

    def to_json(self, link_text: int) -> dict[str, Any]:
        """The facts in the words of ``qemufix physbase --json``.

        ``link_text`` is the address that vmlinux gives to ``_text``.
        """
        return {
            "phys_base": hex64(self.phys_base),
            "kaslr_offset": hex64(self.text_vaddr - link_text),
            "text_vaddr": hex64(self.text_vaddr),
            "text_paddr": hex64(self.text_paddr),
            "release": self.release,
            "banner": self.banner,
            "build_id": self.build_id,
            "page_table_levels": self.page_table_levels,
            "vmcoreinfo_paddr": _optional(self.vmcoreinfo_paddr),
            "cmdline": self.cmdline,
            "online": self.online,
            "symbols": {name: hex64(value) for name, value in sorted(self.symbols.items())},
        }


def hex64(value: int) -> str:
    """Lower-case hex with 0x; negative numbers in 64-bit two's complement."""
    return f"{value & 0xFFFFFFFFFFFFFFFF:#x}"


def _optional(value: int | None) -> str | None:
    return None if value is None else hex64(value)


def parse(console: str) -> list[Truth]:
    """The truths told on a console, in order.

    Raises:
        LabError: one lacks ``_text`` or "Kernel code".
    """
    blocks = re.findall(r"=== LAB TRUTH BEGIN (\w+)\n(.*?)=== LAB TRUTH END \1\n", console, re.S)
    return [_parse_block(label, text) for label, text in blocks]


def _parse_block(label: str, text: str) -> Truth:
    truth = Truth(label)
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        _take(truth, key, value)
    if "_text" not in truth.symbols:
        raise LabError("the guest's kallsyms did not show _text")
    if not any(name == "Kernel code" for _, _, name in truth.iomem):
        raise LabError("the guest's /proc/iomem did not show its kernel")
    return truth


def parse_registers(text: str) -> list[dict[str, str | int]]:
    """Where each vCPU is, from the monitor's "info registers -a"."""
    cpus: list[dict[str, str | int]] = []
    for part in re.split(r"(?m)^CPU#\d+\s*", text)[1:] or [text]:
        found: dict[str, str] = dict(re.findall(r"\b([RE]IP|CR[034]|CPL|HLT)=([0-9a-f]+)", part))
        cpus.append(
            {
                "ip": hex64(int(found.get("RIP") or found["EIP"], 16)),
                "cr3": hex64(int(found["CR3"], 16)),
                "privilege": int(found["CPL"]),
                "halted": int(found["HLT"]),
            }
        )
    return cpus


def _take(truth: Truth, key: str, value: str) -> None:
    match key:
        case "release" | "cmdline" | "online":
            setattr(truth, key, value)
        case "version":
            truth.banner = value
        case "vmcoreinfo":
            truth.vmcoreinfo_paddr = int(value.split(maxsplit=1)[0], 16)
        case "notes":
            truth.build_id = build_id(bytes.fromhex(value))
        case "la57":
            truth.page_table_levels = 4 if value == "0" else 5
        case "iomem":
            extent, _, name = value.partition(" : ")
            start, _, last = extent.partition("-")
            truth.iomem.append((int(start, 16), int(last, 16) + 1, name))
        case "symbol":
            address, _, name = value.split()[:3]
            truth.symbols.setdefault(name, int(address, 16))


def build_id(notes: bytes) -> str:
    """The GNU build ID among ELF notes as /sys/kernel/notes holds them; "" if there is none."""
    at = 0
    while at + 12 <= len(notes):
        namesz, descsz, kind = struct.unpack_from("<3I", notes, at)
        name = notes[at + 12 : at + 12 + namesz]
        desc = at + 12 + (namesz + 3 & ~3)
        if kind == _NT_GNU_BUILD_ID and name == b"GNU\0":
            return notes[desc : desc + descsz].hex()
        at = desc + (descsz + 3 & ~3)
    return ""


def link_address(vmlinux: Path) -> int:
    """The address that vmlinux is linked to: that of its first PT_LOAD, which is ``_text``."""
    with vmlinux.open("rb") as file:
        header = file.read(64)
        phoff, (phentsize, phnum) = header[32:40], struct.unpack_from("<2H", header, 54)
        file.seek(int.from_bytes(phoff, "little"))
        for _ in range(phnum):
            kind, _, _, vaddr = struct.unpack_from("<2I2Q", file.read(phentsize))
            if kind == _PT_LOAD:
                return int(vaddr)
    raise LabError(f"{vmlinux}: has no PT_LOAD")
