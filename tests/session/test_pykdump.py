# SPDX-License-Identifier: GPL-3.0-or-later
"""The PyKdump program, on a stand-in with PyKdump's names and manners."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crashext.errors import SessionError
from crashext.session import crash_host
from crashext.session.pykdump import COMMAND, register

from .fake_host import FakeHost, as_host
from .fake_pykdump import Epython, FakePyKdump, error, in_folder

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "crashext" / "session" / "programs"
PROGRAM = PROGRAMS / "qemufix.py"
SAMPLES = ROOT / "sample_dumps"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost(
        dumpfile=str(SAMPLES / "ovmf-kaslr.elf"),
        namelist=str(SAMPLES / "vmlinux-6.1.0-56-cloud-amd64"),
        loaded=("./mpykdump.so",),
        minimal=False,
        can_reinit=False,
    )
    monkeypatch.setattr(crash_host, "CrashHost", lambda: fake)
    monkeypatch.delenv("PYKDUMPPATH", raising=False)
    monkeypatch.delenv("QEMUFIX_RESTARTED", raising=False)
    return fake


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PYKDUMPPATH", str(PROGRAMS))
    return str(PROGRAMS)


def test_program_by_its_path(host: FakeHost) -> None:
    epython = Epython(FakePyKdump())
    epython.run(str(PROGRAM), "detect")
    assert "written by QEMU" in host.out
    assert not epython.out


def test_program_becomes_a_command(host: FakeHost, path: str) -> None:
    epython = Epython(FakePyKdump(), path)
    epython.run("qemufix", "--register")
    assert not host.out
    assert not host.messages
    epython.command("qemufix", "physbase")
    assert "kernel found" in host.out
    short, synopsis, text = epython.module.table[COMMAND]
    assert short
    assert "physbase" in synopsis
    assert "EXAMPLE" in text
    assert "%" not in short + synopsis + text  # crash prints them as formats


def test_registering_twice_asks_once(host: FakeHost, path: str) -> None:
    epython = Epython(FakePyKdump(), path)
    for _ in range(3):
        epython.run("qemufix", "detect")
    assert not epython.module.said
    assert not host.messages


def test_a_program_out_of_the_path_is_no_command(host: FakeHost, tmp_path: Path) -> None:
    """PyKdump would not find it when the command is typed."""
    epython = Epython(FakePyKdump())
    in_folder(tmp_path, lambda: epython.run(str(PROGRAM), "--register"))
    assert COMMAND not in epython.module.table
    assert "PYKDUMPPATH" in host.messages[0]
    in_folder(tmp_path, lambda: epython.run(str(PROGRAM), "detect"))
    assert len(host.messages) == 1, "only --register has to say so"


def test_the_current_folder_is_in_the_path(host: FakeHost) -> None:
    epython = Epython(FakePyKdump())
    in_folder(PROGRAMS, lambda: epython.run("qemufix", "--register"))
    assert COMMAND in epython.module.table
    assert not host.messages


def test_our_plugin_keeps_its_command(host: FakeHost, path: str) -> None:
    host.loaded = ("/usr/lib/crash/extensions/qemufix.so", "./mpykdump.so")
    epython = Epython(FakePyKdump(taken=[COMMAND]), path)
    epython.run("qemufix", "--register")
    assert "qemufix.so" in host.messages[0]
    assert not epython.module.said
    epython.run("qemufix", "detect")
    assert "written by QEMU" in host.out


def test_another_command_of_that_name_keeps_it(host: FakeHost, path: str) -> None:
    epython = Epython(FakePyKdump(taken=[COMMAND]), path)
    epython.run("qemufix", "--register")
    assert "another command" in host.messages[0]


def test_apply_starts_crash_again(host: FakeHost, path: str) -> None:
    def read(paddr: int, size: int) -> bytes | None:
        from crashext import open_dump

        with open_dump(str(host.dumpfile)) as dump:
            return dump.read(paddr, size)

    host.read_phys = read  # type: ignore[method-assign]
    epython = Epython(FakePyKdump(), path)
    epython.run("qemufix", "physbase", "--apply", "--dry-run")
    assert "Would start crash again" in host.out
    assert not host.restarts
    epython.run("qemufix", "physbase", "--apply")
    assert len(host.restarts) == 1
    assert not host.messages


def test_nothing_stays_behind(host: FakeHost, path: str) -> None:
    epython = Epython(FakePyKdump(), path)
    before = list(sys.path)
    epython.run("qemufix", "detect")
    epython.run("qemufix", "nonsense")
    assert sys.path == before
    assert not epython.out, "no sys.exit(), which PyKdump would show"


def test_no_session_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    def nowhere() -> None:
        raise SessionError("_host.so: not there; build the plugin with make")

    monkeypatch.setattr(crash_host, "CrashHost", nowhere)
    Epython(FakePyKdump(), path).run("qemufix", "detect")
    assert capsys.readouterr().out == "qemufix: _host.so: not there; build the plugin with make\n"


def test_wrong_arguments_raise_as_pykdump_does() -> None:
    with pytest.raises(error, match="invalid parameter"):
        FakePyKdump().register_epython_prog("name", "short")
    register(FakePyKdump(), as_host(FakeHost(loaded=())), str(PROGRAMS))


def test_a_copy_away_from_its_package_says_what_to_set(tmp_path: Path) -> None:
    copy = tmp_path / "qemufix.py"
    copy.write_text(PROGRAM.read_text())
    done = subprocess.run([sys.executable, "-I", "-S", copy, "detect"], capture_output=True,
                          text=True, cwd=tmp_path, check=True)  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert "QEMUFIX_PATH" in done.stdout
    assert not done.stderr
