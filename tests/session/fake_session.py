# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of the line for tests that need no crash: bridge/serve.c in Python."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from crashext.session.line import PROTOCOL, Request

_HEAD = struct.Struct("=II")


@dataclass
class FakeSession:
    """Answers in a thread, and notes what it was told."""

    facts: dict[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("./mpykdump.so", "./qemufix.so")
    arguments: tuple[str, ...] = ("crash", "vmlinux", "guest.elf")
    memory: bytes = b""
    script: bytes | None = b""
    messages: list[str] = field(default_factory=list)
    wishes: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.facts = {
            "protocol": str(PROTOCOL), "version": "8.0.2", "built_for": "8.0.2",
            "machine": "X86_64", "dumpfile": "guest.elf", "namelist": "vmlinux",
            "minimal": "1", "live": "0", "rc_file": "0", "in_process": "1", "scroll": "0",
            "radix": "16", "debug": "0", "phys_base": "-4096", "kaslr_offset": "2097152",
            "origin_waits": "0",
            **self.facts,
        }  # fmt: skip
        self._own, self.line = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.line.close()
        self._thread.join()
        self._own.close()

    def _serve(self) -> None:
        while head := self._own.recv(_HEAD.size, socket.MSG_WAITALL):
            kind, size = _HEAD.unpack(head)
            data = self._own.recv(size, socket.MSG_WAITALL) if size else b""
            answer = self._answer(kind, data)
            self._own.sendall(_HEAD.pack(answer is None, len(answer or b"")) + (answer or b""))

    def _answer(self, kind: int, data: bytes) -> bytes | None:
        if kind == Request.FACTS:
            pairs = [*self.facts.items(), *(("extension", name) for name in self.extensions)]
            pairs += [("argument", word) for word in self.arguments]
            return b"".join(f"{name}={value}\0".encode() for name, value in pairs)
        if kind in (Request.READ, Request.READ_VIRTUAL):
            paddr, size = struct.unpack("=QI", data)
            found = self.memory[paddr : paddr + size]
            return found if len(found) == size else None
        if kind == Request.SCRIPT:
            return self.script
        if kind == Request.MESSAGE:
            self.messages.append(data.decode())
        else:
            self.wishes.append((kind, data))
        return b""
