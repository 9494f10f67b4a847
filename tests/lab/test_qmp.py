# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to QEMU, with a stand-in at the other end."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from lab.errors import LabError
from lab.gdb import run_to
from lab.qmp import Qmp

GREETING = b'{"QMP": {"version": {}}}\n'


def _serve(path: Path, talk: Callable[[IO[bytes]], None]) -> threading.Thread:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def run() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rwb", buffering=0) as stream:
            talk(stream)  # type: ignore[arg-type]
        server.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _monitor(*answers: bytes) -> Callable[[IO[bytes]], None]:
    def talk(stream: IO[bytes]) -> None:
        stream.write(GREETING)
        for answer in (b'{"return": {}}\n', *answers):
            if not stream.readline():
                return
            stream.write(answer)

    return talk


def test_events_between_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    event = b'{"event": "STOP"}\n'
    thread = _serve(path, _monitor(event + b'{"return": {"status": "paused"}}\n'))
    with Qmp(path) as qmp:
        assert qmp.execute("query-status") == {"status": "paused"}
    thread.join()


def test_a_refusal_carries_qemus_words(tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    error = {"error": {"class": "GenericError", "desc": "no such device"}}
    thread = _serve(path, _monitor(json.dumps(error).encode() + b"\n"))
    with Qmp(path) as qmp, pytest.raises(LabError, match="refuses device_del: no such device"):
        qmp.execute("device_del", id="x")
    thread.join()


def test_a_qemu_that_ends_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    thread = _serve(path, _monitor())
    with Qmp(path) as qmp, pytest.raises(LabError, match="QEMU"):
        qmp.execute("stop")
    thread.join()


def test_a_silent_qemu_does_not_hang_us(tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    done = threading.Event()

    def talk(stream: IO[bytes]) -> None:
        _monitor()(stream)
        done.wait(10)

    thread = _serve(path, talk)
    with Qmp(path) as qmp, pytest.raises(LabError, match="no answer to stop"):
        qmp.execute("stop", timeout=0.2)
    done.set()
    thread.join()


def _stub(stream: IO[bytes]) -> None:
    stream.write(b"$T02thread:01;#04")  # what QEMU says when one connects
    for answer in (b"+$OK#9a", b"+$T05thread:01;#07", b"+$OK#9a"):
        while b"#" not in stream.read(64):
            pass
        stream.write(answer)
    stream.read(64)  # the last acknowledgement


def test_a_breakpoint_is_run_to(tmp_path: Path) -> None:
    path = tmp_path / "gdb"
    thread = _serve(path, _stub)
    run_to(path, 0xFFFFFFFF81000000, timeout=5)
    thread.join()


def test_a_breakpoint_never_met_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "gdb"
    done = threading.Event()

    def talk(_: IO[bytes]) -> None:
        done.wait(10)

    thread = _serve(path, talk)
    with pytest.raises(LabError, match="did not get to 0x1000"):
        run_to(path, 0x1000, timeout=0.2)
    done.set()
    thread.join()
