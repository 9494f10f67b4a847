# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a migration stream as QEMU does (migration/savevm.c, migration/ram.c)."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

MIB = 1 << 20


def counted(text: bytes) -> bytes:
    return bytes([len(text)]) + text


@dataclass(frozen=True)
class Section:
    """A device section: its name, instance, what its JSON says and the bytes it has."""

    name: str
    instance: int = 0
    fields: list[dict[str, Any]] = field(default_factory=list)
    body: bytes = b""
    subsections: list[dict[str, Any]] = field(default_factory=list)

    def written(self, number: int) -> bytes:
        head = b"\x04" + struct.pack(">I", number) + counted(self.name.encode())
        return head + struct.pack(">II", self.instance, 2) + self.body + footer(number)

    def described(self) -> dict[str, Any]:
        more = {"subsections": self.subsections} if self.subsections else {}
        return {"name": self.name, "instance_id": self.instance, "fields": self.fields, **more}


def footer(number: int) -> bytes:
    return b"\x7e" + struct.pack(">I", number)


TIMER = Section("timer", 0, [{"name": "data", "type": "buffer", "size": 24}], b'\x06{"noise' * 3)
CPUS = [TIMER, Section("cpu", 0), Section("cpu", 1)]


def uleb(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80, value >> 7])


def pairs(old: bytes, new: bytes) -> bytes:
    """The XBZRLE encoding of a change."""
    out, at = b"", 0
    while at < len(new):
        kept = at
        while at < len(new) and old[at] == new[at]:
            at += 1
        if at == len(new):
            break
        fresh = at
        while at < len(new) and old[at] != new[at]:
            at += 1
        out += uleb(fresh - kept) + uleb(at - fresh) + new[fresh:at]
    return out


@dataclass
class Qevm:
    """``blocks`` maps a RAM block to its pages; each later dict of ``rounds`` overwrites.

    ``xbzrle`` sends those of later rounds as differences; ``mapped`` has all at their places,
    in a file in which the stream starts at ``offset``. ``early`` sections come before RAM.
    """

    rounds: list[dict[str, dict[int, bytes]]]
    lengths: dict[str, int]
    machine: bytes = b"pc-i440fx-7.2"
    capabilities: list[bytes] = field(default_factory=list)
    compress: bool = False
    xbzrle: bool = False
    mapped: bool = False
    offset: int = 0
    early: list[Section] = field(default_factory=list)
    sections: list[Section] = field(default_factory=lambda: CPUS)

    def write(self) -> bytes:
        """The whole stream."""
        out = bytearray(b"QEVM" + struct.pack(">I", 3))
        out += b"\x07" + struct.pack(">I", len(self.machine)) + self.machine
        capabilities = [b"mapped-ram"] * self.mapped + self.capabilities
        if capabilities:
            out += b"\x05" + counted(b"configuration/capabilities") + struct.pack(">I", 1)
            out += struct.pack(">I", len(capabilities)) + b"".join(map(counted, capabilities))
        for number, section in enumerate(self.early, 50):
            out += section.written(number)
        out += b"\x01" + struct.pack(">I", 2) + counted(b"ram") + struct.pack(">II", 0, 4)
        out += struct.pack(">Q", sum(self.lengths.values()) | 0x04)
        for name, size in self.lengths.items():
            out += counted(name.encode()) + struct.pack(">Q", size)
            if self.mapped:
                self._map(out, name, size)
        out += struct.pack(">Q", 0x10) + footer(2)
        out += b"\x08" + struct.pack(">HH", 3, 2) + b"xx"
        before: dict[tuple[str, int], bytes] = {}
        for count, pages in enumerate(self.rounds, 1):
            kind = b"\x03" if count == len(self.rounds) else b"\x02"
            records = self._records({} if self.mapped else pages, before)
            out += kind + struct.pack(">I", 2) + records + footer(2)
        return bytes(out) + self._tail()

    def _tail(self) -> bytes:
        out = b"".join(section.written(n) for n, section in enumerate(self.sections, 3)) + b"\0"
        devices = [section.described() for section in (*self.early, *self.sections)]
        text = json.dumps({"page_size": 4096, "devices": devices}).encode()
        return out + b"\x06" + struct.pack(">I", len(text)) + text

    def _map(self, out: bytearray, name: str, size: int) -> None:
        """Header, bitmap and pages of a mapped block; zeros are left out."""
        pages = {n: p for each in self.rounds for n, p in each.get(name, {}).items()}
        pages = {n: p for n, p in pages.items() if p.strip(b"\0")}
        length = -(-size // 4096 // 64) * 8
        bitmap = sum(1 << n for n in pages).to_bytes(length, "little")
        at = self.offset + len(out) + 28
        place = -(-(at + length) // MIB) * MIB
        out += struct.pack(">I3Q", 1, 4096, at, place) + bitmap
        out += bytes(place - self.offset - len(out) + size)
        for number, page in pages.items():
            start = place - self.offset + number * 4096
            out[start : start + 4096] = page

    def _records(
        self, blocks: dict[str, dict[int, bytes]], before: dict[tuple[str, int], bytes]
    ) -> bytes:
        out = bytearray()
        for name, pages in blocks.items():
            known = 0
            for index, page in pages.items():
                flags, body = self._body(page, before.get((name, index)))
                before[name, index] = page
                out += struct.pack(">Q", index * 4096 | flags | known)
                out += (b"" if known else counted(name.encode())) + body
                known = 0x20
        return bytes(out + struct.pack(">Q", 0x10))

    def _body(self, page: bytes, before: bytes | None) -> tuple[int, bytes]:
        told = pairs(before, page) if self.xbzrle and before is not None else page
        if len(told) < len(page):
            return 0x40, difference(told)
        if page == page[:1] * len(page):
            return 0x02, page[:1]
        if self.compress:
            packed = zlib.compress(page)
            return 0x100, struct.pack(">I", len(packed)) + packed
        return 0x08, page


def difference(told: bytes, encoding: int = 1) -> bytes:
    """What stands behind the header of an XBZRLE page."""
    return bytes([encoding]) + struct.pack(">H", len(told)) + told


def numbers(name: str, count: int, size: int = 8) -> dict[str, Any]:
    """The JSON of a field that is a number, or several."""
    more = {"array_len": count} if count > 1 else {}
    return {"name": name, **more, "type": f"uint{size * 8}", "size": size}
