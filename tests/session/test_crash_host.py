# SPDX-License-Identifier: GPL-3.0-or-later
"""The session as the command's own process sees it, through the line."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest

from crashext.errors import SessionError
from crashext.session import line
from crashext.session.crash_host import CrashHost
from crashext.session.host import Host, Settings

from .fake_session import FakeSession

HEADER = Path(__file__).resolve().parents[2] / "bridge" / "protocol.h"


def as_host(host: CrashHost) -> Host:
    """Checked by mypy: it has everything a session has."""
    return host


def test_both_sides_mean_the_same() -> None:
    text = HEADER.read_text()
    kinds = re.findall(r"^\t([A-Z_]+)(?: = 1)?,", text[text.index("enum request_kind") :], re.M)
    assert [request.name for request in line.Request] == kinds[: len(line.Request)]
    assert [int(request) for request in line.Request] == list(range(1, len(line.Request) + 1))
    assert f"QFX_PROTOCOL {line.PROTOCOL}\n" in text
    assert f"LINE_FD = {line.LINE_FD}," in text
    assert f"MAX_REQUEST = 1 << {line.MAX_REQUEST.bit_length() - 1}," in text
    assert f"MAX_READ = 1 << {line.MAX_READ.bit_length() - 1}," in text


def test_facts() -> None:
    with FakeSession() as session:
        host = as_host(CrashHost(session.line.fileno()))
        assert (host.dumpfile, host.namelist) == ("guest.elf", "vmlinux")
        assert (host.crash_version, host.machine) == ("8.0.2", "X86_64")
        assert (host.minimal, host.can_reinit, host.in_rc_file) == (True, True, False)
        assert (host.phys_base, host.kaslr_offset) == (-4096, 2097152)
        assert host.kimage_voffset is None
        assert host.settings == Settings(scroll=False, radix=16, debug=0)
        assert (host.record, host.origin_waits) == ("", False)
        assert host.extensions() == ["./mpykdump.so", "./qemufix.so"]
        assert host.command_line() == ["crash", "vmlinux", "guest.elf"]


def test_what_there_is_not_is_none() -> None:
    with FakeSession({"live": "1"}) as session:
        for name in ("phys_base", "kaslr_offset"):
            del session.facts[name]
        host = CrashHost(session.line.fileno())
        assert (host.dumpfile, host.phys_base, host.kaslr_offset) == (None, None, None)


def test_a_voffset_is_modulo_2_to_64() -> None:
    with FakeSession({"kimage_voffset": str(-0x3E29_5440_0000)}) as session:
        assert CrashHost(session.line.fileno()).kimage_voffset == 0xFFFF_C1D6_ABC0_0000


def test_reads_of_any_size() -> None:
    with FakeSession(memory=os.urandom(3 * line.MAX_READ)) as session:
        host = CrashHost(session.line.fileno())
        for paddr, size in ((0, 0), (5, 3), (1, line.MAX_READ), (7, 2 * line.MAX_READ + 1)):
            assert host.read_phys(paddr, size) == session.memory[paddr : paddr + size]
        assert host.read_phys(line.MAX_READ, 2 * line.MAX_READ + 1) is None


def test_wishes_and_words(tmp_path: Path) -> None:
    with FakeSession(script=b"bt\n") as session, (tmp_path / "out").open("wb") as out:
        host = CrashHost(session.line.fileno(), out.fileno())
        host.write("out\udc80\n")
        host.message("no\udc80")
        host.reinit(-4096, 1 << 40, 1.5, "what was done")
        host.restart(["crash", "a b", "caf\udce9"], host.pending_script(), "why")
        host.go_back("how")
    assert (tmp_path / "out").read_bytes() == b"out\\udc80\n"
    assert session.messages == ["no\\udc80"]
    apply, restart, go_back = session.wishes
    assert apply[0] == line.Request.APPLY
    assert apply[1] == struct.pack("=qqI", -4096, 1 << 40, 1500) + b"what was done"
    assert go_back == (line.Request.GO_BACK, b"how")
    args = b"crash\0a b\0caf\xe9\0"
    assert restart == (line.Request.RESTART, struct.pack("=II", len(args), 4) + args + b"why\0bt\n")


def test_what_is_too_much_or_refused_is_one_error() -> None:
    with FakeSession(script=None) as session:
        host = CrashHost(session.line.fileno())
        with pytest.raises(SessionError, match="input file"):
            host.pending_script()
        with pytest.raises(SessionError, match="started again"):
            host.restart(["crash"], bytes(line.MAX_REQUEST), "")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"protocol": "0"}, "make again"),
        ({"built_for": "7.9.9"}, "built for crash 7.9.9, this is 8.0.2"),
    ],
)
def test_parts_that_do_not_fit(facts: dict[str, str], words: str) -> None:
    with FakeSession(facts) as session, pytest.raises(SessionError, match=words):
        CrashHost(session.line.fileno())


def test_a_session_that_has_gone() -> None:
    with FakeSession() as session:
        host = CrashHost(session.line.fileno())
        session._own.shutdown(2)
        with pytest.raises(SessionError, match="does not answer"):
            host.read_phys(0, 1)


def test_no_session() -> None:
    with pytest.raises(SessionError, match="does not answer"):
        CrashHost(1 << 20)
