# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a session: where its output and its errors go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crashext.session import open_session_dump
from crashext.session.plugin import SessionErrors, run_in

from .fake_host import FakeHost, as_host

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
DUMP, VMLINUX = SAMPLES / "ovmf-kaslr.elf", SAMPLES / "vmlinux-6.1.0-56-cloud-amd64"


@pytest.fixture
def host() -> FakeHost:
    return FakeHost(dumpfile=str(DUMP), namelist=str(VMLINUX))


def test_session_gives_dump_and_kernel(host: FakeHost) -> None:
    assert run_in(as_host(host), ["physbase", "--json"]) == 0
    truth = json.loads(DUMP.with_suffix(".json").read_text())
    assert json.loads(host.out)["phys_base"] == truth["phys_base"]
    assert not host.messages


@pytest.mark.parametrize(
    "argv", [["nonsense"], ["detect", "another.elf"], ["physbase", "--vmlinux", "x"]]
)
def test_usage_errors_are_one_message_without_the_name(host: FakeHost, argv: list[str]) -> None:
    assert run_in(as_host(host), argv) == 2
    assert len(host.messages) == 1
    assert not host.messages[0].startswith("qemufix: ")


def test_missing_file_is_one_message(host: FakeHost) -> None:
    host.namelist = "/nonexistent/vmlinux"
    assert run_in(as_host(host), ["physbase"]) == 3
    assert len(host.messages) == 1
    assert "/nonexistent/vmlinux" in host.messages[0]


def test_closed_pipe_ends_quietly(host: FakeHost) -> None:
    host.closed = True
    run_in(as_host(host), ["detect"])
    assert not host.messages


def test_errors_come_line_by_line(host: FakeHost) -> None:
    errors = SessionErrors(as_host(host))
    errors.write("qemufix: one\ntw")
    errors.write("o\n\nthree")
    assert host.messages == ["one", "two"]
    errors.flush()
    assert host.messages == ["one", "two", "three"]


def test_live_system_has_no_dump(host: FakeHost) -> None:
    host.dumpfile = None
    assert run_in(as_host(host), ["detect"]) != 0
    assert "live system" in host.messages[0]


def test_format_that_only_crash_knows_is_read_through_crash(tmp_path: Path) -> None:
    strange = tmp_path / "guest.vmss"
    strange.write_bytes(b"some other format" * 1000)
    memory = {0: bytes(4 << 20), 6 << 20: b"\xaa" * (2 << 20)}
    host = FakeHost(dumpfile=str(strange), memory=memory)
    with open_session_dump(as_host(host)) as dump:
        assert [tuple(r) for r in dump.ram] == [(0, 4 << 20), (6 << 20, 8 << 20)]
        assert dump.read(6 << 20, 16) == b"\xaa" * 16
        assert next(dump.page_heads(8)) == (6 << 20, b"\xaa" * 8)
        assert "through crash" in dump.warnings[0]
        assert dump.arch == "x86_64"


def test_all_files_of_a_split_dump_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [tmp_path / "part1", tmp_path / "part2"]
    for part in parts:
        part.write_bytes(b"KDUMP   and the rest")
    vmlinux = tmp_path / "vmlinux"
    vmlinux.write_bytes(b"\x7fELF")
    opened: list[tuple[str, ...]] = []
    monkeypatch.setattr("crashext.dumps.open_dump", lambda *paths: opened.append(paths))
    words = ("crash", "-s", str(vmlinux), *map(str, parts))
    open_session_dump(as_host(FakeHost(dumpfile=str(parts[1]), argv=words)))
    open_session_dump(as_host(FakeHost(dumpfile=str(vmlinux), argv=words)))
    assert opened == [tuple(map(str, parts)), (str(vmlinux),)]
