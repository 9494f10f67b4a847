# SPDX-License-Identifier: GPL-3.0-or-later
"""A QMP client: one command at a time, each with a time limit.

Source of the protocol: QEMU ``docs/interop/qmp-spec``.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Self

from .errors import LabError


class Qmp:
    """A connection to a QEMU monitor socket."""

    def __init__(self, path: Path, *, timeout: float = 10) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._lines.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, *, timeout: float = 30, **arguments: Any) -> Any:
        """Run one command and return what it answers; events in between are dropped.

        Raises:
            LabError: QEMU refuses, is gone, or says nothing for ``timeout`` seconds.
        """
        message = {"execute": command, "arguments": arguments}
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(json.dumps(message).encode() + b"\n")
            while line := self._lines.readline():
                answer = json.loads(line)
                if "error" in answer:
                    raise LabError(f"QEMU refuses {command}: {answer['error'].get('desc')}")
                if "return" in answer:
                    return answer["return"]
        except TimeoutError as late:
            raise LabError(f"QEMU: no answer to {command} in {timeout:.0f} s") from late
        except OSError as gone:
            raise LabError(f"QEMU: connection lost during {command}: {gone}") from gone
        raise LabError(f"QEMU: ended during {command}")

    def close(self) -> None:
        """End the connection; QEMU goes on."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
