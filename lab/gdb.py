# SPDX-License-Identifier: GPL-3.0-or-later
"""Just enough of the GDB remote protocol to run a guest up to one instruction, and to read
registers that QEMU's monitor does not show.

Source of the protocol: the GDB manual, appendix "GDB Remote Serial Protocol".
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError


def run_to(path: Path, address: int, *, timeout: float) -> None:
    """Let the guest behind a gdbstub socket run to an address; it is stopped there.

    Raises:
        LabError: it does not get there in ``timeout`` seconds.
    """
    with _connected(path, timeout, f"the guest did not get to {address:#x}") as stub:
        # A hardware breakpoint: nothing need be mapped there yet.
        _command(stub, f"Z1,{address:x},1", answer=rb"OK")
        _command(stub, "c", answer=rb"T05")
        _command(stub, f"z1,{address:x},1", answer=rb"OK")


def read_registers(
    path: Path, names: Sequence[str], *, timeout: float = 30
) -> list[Mapping[str, int]]:
    """Each vCPU's registers of these names, those that QEMU describes, in its byte order.

    Raises:
        LabError: QEMU does not answer in ``timeout`` seconds.
    """
    with _connected(path, timeout, "QEMU did not show its registers") as stub:
        # Of a document that was not read, QEMU shows no registers.
        text = _document(stub, "target.xml")
        text += "".join(
            _document(stub, part) for part in re.findall(r'<xi:include href="(.+?)"', text)
        )
        numbers = dict(re.findall(r'<reg name="(\w+)"[^>]*? regnum="(\d+)"', text))
        threads = _command(stub, "qfThreadInfo", answer=rb"m([0-9a-f,]*)").split(b",")
        found: list[Mapping[str, int]] = []
        while threads != [b""]:
            for thread in threads:
                _command(stub, f"Hg{thread.decode()}", answer=rb"OK")
                found.append({n: _register(stub, numbers[n]) for n in names if n in numbers})
            more = _command(stub, "qsThreadInfo", answer=rb"(?:m([0-9a-f,]*)|l)")
            threads = more.split(b",")
        return found


def _document(stub: socket.socket, name: str) -> str:
    """One of the stub's descriptions, in as many pieces as it takes."""
    text = b""
    while True:
        packet = f"qXfer:features:read:{name}:{len(text):x},ffb"
        piece = _command(stub, packet, answer=rb"([ml][^#]*)")
        text += piece[1:]
        if piece[:1] == b"l":
            return text.decode()


def _register(stub: socket.socket, number: str) -> int:
    answer = _command(stub, f"p{int(number):x}", answer=rb"((?:[0-9a-f]{2})+)")
    return int.from_bytes(bytes.fromhex(answer.decode()), "little")


@contextmanager
def _connected(path: Path, timeout: float, late: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as stub:
        stub.settimeout(timeout)
        try:
            stub.connect(str(path))
            yield stub
        except TimeoutError as error:
            raise LabError(f"{late} in {timeout:.0f} s") from error
        except OSError as gone:
            raise LabError(f"QEMU's gdbstub went away: {gone}") from gone


def _command(stub: socket.socket, text: str, *, answer: bytes) -> bytes:
    """Send one packet and wait for the answer; others that come before it are dropped.

    QEMU says that it has stopped (T02) when one connects. Returns the answer's group.
    """
    stub.sendall(f"${text}#{sum(text.encode()) & 0xFF:02x}".encode())
    data = b""
    while not (match := re.search(rb"\$" + answer + rb"[^#]*#..", data, re.S)):
        more = stub.recv(4096)
        if not more:
            raise LabError(f"QEMU's gdbstub went away during {text!r}")
        data += more
        stub.sendall(b"+" * more.count(b"$"))
    return (match[1] or b"") if match.groups() else b""
