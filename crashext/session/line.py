# SPDX-License-Identifier: GPL-3.0-or-later
"""The line to the crash session that started us: bridge/protocol.h is the other side."""

from __future__ import annotations

import os
import struct
from enum import IntEnum

from ..errors import SessionError

PROTOCOL = 3  # QFX_PROTOCOL
LINE_FD = 3
MAX_REQUEST = 1 << 20
MAX_READ = 1 << 16

_HEAD = struct.Struct("=II")
_DONE = 0


class Request(IntEnum):
    """``enum request_kind``."""

    FACTS = 1
    READ = 2
    SCRIPT = 3
    MESSAGE = 4
    APPLY = 5
    RESTART = 6
    GO_BACK = 7
    READ_VIRTUAL = 8


class Line:
    """One question at a time, each with its answer."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def ask(self, request: Request, data: bytes = b"") -> bytes | None:
        """The answer; None where the session refuses.

        Raises:
            SessionError: the session does not listen any more.
        """
        if len(data) > MAX_REQUEST:
            return None
        try:
            write_all(self._fd, _HEAD.pack(request, len(data)) + data)
            kind, size = _HEAD.unpack(self._receive(_HEAD.size))
            answer = self._receive(size)
        except OSError as error:
            raise SessionError(f"the crash session does not answer: {error.strerror}") from None
        return answer if kind == _DONE else None

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = os.read(self._fd, size - len(data))
            if not part:
                raise SessionError("the crash session does not answer any more")
            data += part
        return bytes(data)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, unbuffered; raises OSError."""
    while data:
        data = data[os.write(fd, data) :]
