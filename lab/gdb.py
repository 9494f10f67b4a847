# SPDX-License-Identifier: GPL-3.0-or-later
"""Just enough of the GDB remote protocol to run a guest up to one instruction.

Source of the protocol: the GDB manual, appendix "GDB Remote Serial Protocol".
"""

from __future__ import annotations

import re
import socket
from pathlib import Path

from .errors import LabError


def run_to(path: Path, address: int, *, timeout: float) -> None:
    """Let the guest behind a gdbstub socket run to an address; it is stopped there.

    Raises:
        LabError: it does not get there in ``timeout`` seconds.
    """
    with socket.socket(socket.AF_UNIX) as stub:
        stub.settimeout(timeout)
        stub.connect(str(path))
        try:
            # A hardware breakpoint: nothing need be mapped there yet.
            _command(stub, f"Z1,{address:x},1", answer=b"OK")
            _command(stub, "c", answer=b"T05")
            _command(stub, f"z1,{address:x},1", answer=b"OK")
        except TimeoutError as late:
            raise LabError(f"the guest did not get to {address:#x} in {timeout:.0f} s") from late
        except OSError as gone:
            raise LabError(f"QEMU's gdbstub went away: {gone}") from gone


def _command(stub: socket.socket, text: str, *, answer: bytes) -> None:
    """Send one packet and wait for the answer; others that come before it are dropped.

    QEMU says that it has stopped (T02) when one connects.
    """
    stub.sendall(f"${text}#{sum(text.encode()) & 0xFF:02x}".encode())
    data = b""
    while not re.search(rb"\$" + answer + rb"[^#]*#..", data):
        more = stub.recv(4096)
        if not more:
            raise LabError(f"QEMU's gdbstub went away during {text!r}")
        data += more
        stub.sendall(b"+" * more.count(b"$"))
