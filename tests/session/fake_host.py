# SPDX-License-Identifier: GPL-3.0-or-later
"""A crash session for tests that need no crash: it notes what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crashext.session.host import Host, Settings


@dataclass
class FakeHost:
    """Has the memory it is given, as {physical address: bytes}."""

    dumpfile: str | None = "guest.elf"
    namelist: str = "vmlinux"
    crash_version: str = "8.0.2"
    machine: str = "X86_64"
    minimal: bool = True
    can_reinit: bool = True
    in_rc_file: bool = False
    phys_base: int | None = 0
    kimage_voffset: int | None = None
    kaslr_offset: int | None = 0
    settings: Settings = field(default_factory=lambda: Settings(False, 10, 0))
    memory: dict[int, bytes] = field(default_factory=dict)
    argv: tuple[str, ...] = ("crash", "--minimal", "vmlinux", "guest.elf")
    script: bytes = b""
    loaded: tuple[str, ...] = ("./qemufix.so",)
    out: str = ""
    messages: list[str] = field(default_factory=list)
    reinits: list[tuple[int, int, float]] = field(default_factory=list)
    restarts: list[tuple[list[str], bytes]] = field(default_factory=list)
    closed: bool = False
    on_terminal: bool = False
    record: str = ""
    origin_waits: bool = False
    virtual: dict[int, bytes] = field(default_factory=dict)
    records: list[str] = field(default_factory=list)
    gone_back: list[str] = field(default_factory=list)

    def read_phys(self, paddr: int, size: int) -> bytes | None:
        for start, data in self.memory.items():
            if start <= paddr and paddr + size <= start + len(data):
                return data[paddr - start : paddr - start + size]
        return None

    def read_virt(self, vaddr: int, size: int) -> bytes | None:
        found = self.virtual.get(vaddr)
        return None if found is None else found[:size]

    def write(self, text: str) -> None:
        if self.closed:
            raise BrokenPipeError
        self.out += text

    def message(self, line: str) -> None:
        self.messages.append(line)

    def reinit(self, phys_base: int, kaslr_offset: int, limit: float, record: str) -> None:
        self.records.append(record)
        self.reinits.append((phys_base, kaslr_offset, limit))

    def restart(self, args: Sequence[str], script: bytes, record: str) -> None:
        self.records.append(record)
        self.restarts.append((list(args), script))

    def go_back(self, record: str) -> None:
        self.gone_back.append(record)

    def command_line(self) -> list[str]:
        return list(self.argv)

    def pending_script(self) -> bytes:
        return self.script

    def extensions(self) -> list[str]:
        return list(self.loaded)


def as_host(fake: FakeHost) -> Host:
    """Checked by mypy: the stand-in has everything a session has."""
    return fake
