# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a migration stream as QEMU does (migration/savevm.c, migration/ram.c)."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field


def counted(text: bytes) -> bytes:
    return bytes([len(text)]) + text


@dataclass
class Qevm:
    """``blocks`` maps a RAM block to its pages; each later dict of ``rounds`` overwrites."""

    rounds: list[dict[str, dict[int, bytes]]]
    lengths: dict[str, int]
    machine: bytes = b"pc-i440fx-7.2"
    capabilities: list[bytes] = field(default_factory=list)
    compress: bool = False
    devices: list[tuple[str, int]] = field(default_factory=lambda: [("cpu", 0), ("cpu", 1)])

    def write(self) -> bytes:
        """The whole stream."""
        out = b"QEVM" + struct.pack(">I", 3)
        out += b"\x07" + struct.pack(">I", len(self.machine)) + self.machine
        if self.capabilities:
            out += b"\x05" + counted(b"configuration/capabilities") + struct.pack(">I", 1)
            out += struct.pack(">I", len(self.capabilities))
            out += b"".join(map(counted, self.capabilities))
        total = sum(self.lengths.values())
        listed = b"".join(
            counted(name.encode()) + struct.pack(">Q", size) for name, size in self.lengths.items()
        )
        start = struct.pack(">Q", total | 0x04) + listed + struct.pack(">Q", 0x10)
        out += b"\x01" + struct.pack(">I", 2) + counted(b"ram") + struct.pack(">II", 0, 4) + start
        out += self._footer()
        out += b"\x08" + struct.pack(">HH", 3, 2) + b"xx"
        for count, pages in enumerate(self.rounds, 1):
            kind = b"\x03" if count == len(self.rounds) else b"\x02"
            out += kind + struct.pack(">I", 2) + self._records(pages) + self._footer()
        out += b"\x04" + struct.pack(">I", 3) + counted(b"timer") + struct.pack(">II", 0, 2)
        out += b'\x06{"noise' * 3 + self._footer() + b"\0"
        text = json.dumps(
            {
                "page_size": 4096,
                "devices": [{"name": n, "instance_id": i, "fields": []} for n, i in self.devices],
            }
        ).encode()
        return out + b"\x06" + struct.pack(">I", len(text)) + text

    def _footer(self) -> bytes:
        return b"\x7e" + struct.pack(">I", 2)

    def _records(self, blocks: dict[str, dict[int, bytes]]) -> bytes:
        out = bytearray()
        for name, pages in blocks.items():
            known = 0
            for index, page in pages.items():
                flags, body = self._body(page)
                out += struct.pack(">Q", index * 4096 | flags | known)
                out += (b"" if known else counted(name.encode())) + body
                known = 0x20
        return bytes(out + struct.pack(">Q", 0x10))

    def _body(self, page: bytes) -> tuple[int, bytes]:
        if page == page[:1] * len(page):
            return 0x02, page[:1]
        if self.compress:
            packed = zlib.compress(page)
            return 0x100, struct.pack(">I", len(packed)) + packed
        return 0x08, page
