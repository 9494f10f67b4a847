# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session keeps of an --apply, what it says of it, and taking it back."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from crashext.cli import run
from crashext.errors import SessionError
from crashext.session.applied import MAX_RECORD, Record, Values, read_record
from crashext.session.plugin import run_in
from crashext.session.undo import undo
from crashext.symbols.vmlinux import Vmlinux

from .fake_host import FakeHost, as_host

ROOT = Path(__file__).parents[2]
VMLINUX = ROOT / "sample_dumps" / "vmlinux-6.1.0-56-cloud-amd64"
DONE = Record(
    way="in process", when="2026-01-02T03:04:05+00:00", undone=None,
    before=Values(0, None, 0), after=Values(-4096, None, 0x200000), minimal=True,
    command_line=("crash", "--minimal", "vmlinux", "caf\udce9"), shown=(),
    release="6.1.0", build_id="3b43", confidence="certain", confirmed_by=("linux_banner",),
)  # fmt: skip


def host_with(record: Record, **more: Any) -> FakeHost:
    values = {"phys_base": -4096, "kaslr_offset": 0x200000, "minimal": False, **more}
    return FakeHost(namelist=str(VMLINUX), record=record.packed(), **values)


def test_a_record_comes_back_as_it_was() -> None:
    assert read_record(as_host(host_with(DONE))) == DONE
    assert DONE.packed().isascii() and "\n" not in DONE.packed()


def test_a_command_line_that_is_too_long_is_not_kept() -> None:
    long = dataclasses.replace(DONE, command_line=("crash", "x" * MAX_RECORD))
    assert read_record(as_host(host_with(long))) == dataclasses.replace(DONE, command_line=())


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"way": "by hand"}, {"when": "soon"}, {"when": "2026-01-02"}, {"undone": 1},
        {"before": [0]}, {"before": {"phys_base": 0}}, {"after": [1 << 65, None, 0]},
        {"after": [True, None, 0]}, {"minimal": 1}, {"command_line": "crash"},
        {"shown": [1]}, {"confirmed_by": None}, {"another": 1}, {"release": []},
    ],
)  # fmt: skip
def test_what_is_no_record_is_not_believed(change: dict[str, Any]) -> None:
    host = host_with(DONE)
    host.record = json.dumps({**json.loads(host.record), **change})
    with pytest.raises(SessionError, match="damaged"):
        read_record(as_host(host))
    assert run_in(as_host(host), ["status"]) == 1
    assert len(host.messages) == 1


@pytest.mark.parametrize("text", ["{", "[]", "1", '"x"', "null", "[" * 9000])
def test_nor_is_other_text(text: str) -> None:
    with pytest.raises(SessionError, match="damaged"):
        read_record(as_host(FakeHost(record=text)))


def status(host: FakeHost, *options: str) -> tuple[int, str]:
    return run_in(as_host(host), ["status", *options]), host.out


def test_status_of_an_applied_session() -> None:
    code, said = status(host_with(DONE, origin_waits=True))
    assert code == 0
    assert said.startswith("Put right as it ran at 2026-01-02T03:04:05+00:00: a minimal session")
    assert "6.1.0, certain" in said
    assert "0x0 -> 0xfffffffffffff000" in said
    assert "--undo` (at once)" in said


def test_status_escapes_what_came_from_the_dump() -> None:
    _, said = status(host_with(dataclasses.replace(DONE, release="\x1b[2J")))
    assert "\\x1b[2J" in said and "\x1b" not in said


def test_status_says_when_the_values_are_others() -> None:
    _, said = status(host_with(DONE, kaslr_offset=0))
    assert "does not have the values that it was given" in said


@pytest.mark.parametrize("right", [True, False])
def test_status_asks_the_dump(right: bool) -> None:
    """By one read: the kernel's banner, where the session translates it to."""
    with Vmlinux(str(VMLINUX)) as vmlinux:
        banner, linked = vmlinux.banner, vmlinux.symbol("linux_banner")
    assert banner and linked
    host = FakeHost(namelist=str(VMLINUX), kaslr_offset=0x200000)
    host.virtual = {linked + 0x200000: banner if right else bytes(len(banner))}
    code, said = status(host)
    assert code == 1
    assert said.startswith("Nothing was applied in this minimal session.")
    assert ("the kernel's is where" in said) is right


@pytest.mark.parametrize("words", [["status"], ["physbase", "--undo"]])
def test_in_a_shell_it_is_said_where_they_belong(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "crash" in err


def test_status_on_a_live_system() -> None:
    code, said = status(FakeHost(dumpfile=None, minimal=False))
    assert (code, said.splitlines()[0]) == (
        1, "Nothing was applied: this session is on a live system."
    )  # fmt: skip


@pytest.mark.parametrize("record", [None, DONE, DONE.taken_back()])
def test_every_field_is_documented(record: Record | None) -> None:
    host = host_with(record) if record else FakeHost(namelist=str(VMLINUX))
    answer = json.loads(status(host, "--json")[1])
    text = (ROOT / "docs" / "json.md").read_text()
    section = text[text.index("## status") :]
    documented = set(re.findall(r"`(\w+)`", section))
    assert {*answer, *answer["now"], *(answer["applied"] or {})} - documented == set()


@pytest.mark.parametrize("record", ["", DONE.taken_back().packed()])
def test_where_nothing_was_applied_there_is_nothing_to_undo(record: str) -> None:
    host = FakeHost(record=record)
    assert run_in(as_host(host), ["physbase", "--undo"]) == 1
    assert host.messages == ["nothing was applied in this session: there is nothing to undo"]
    assert not host.gone_back and not host.restarts


def test_undo_goes_back_to_the_process_that_waits() -> None:
    host = host_with(DONE, origin_waits=True)
    undo(as_host(host))
    (record,) = host.gone_back
    kept = read_record(as_host(FakeHost(record=record)))
    assert kept is not None and kept.undone
    assert dataclasses.replace(kept, undone=None) == DONE


def test_a_process_that_is_gone_is_said() -> None:
    host = host_with(DONE)
    with pytest.raises(SessionError, match="as it was"):
        undo(as_host(host))
    assert not host.restarts


def test_undo_starts_crash_again_as_the_first_time(tmp_path: Path) -> None:
    dump = tmp_path / "guest.elf"
    dump.touch()
    old = ("crash", "--minimal", "-m", "phys_base=0", "-i", "todo", "vmlinux", str(dump))
    record = dataclasses.replace(DONE, way="restart", command_line=old, shown=("/run/view",))
    host = host_with(record, argv=("crash", "--kaslr=1", "vmlinux", "/run/view"))
    host.script = b"bt\n"
    undo(as_host(host))
    ((args, script),) = host.restarts
    assert args == ["crash", "--minimal", "-m", "phys_base=0", "vmlinux", str(dump)]
    assert script.endswith(b"bt\n")
    dump.unlink()
    with pytest.raises(SessionError, match="is gone"):
        undo(as_host(host))
    assert len(host.restarts) == 1


@pytest.mark.parametrize(
    "options", [["--undo", "--apply"], ["--undo", "--quiet"], ["--quiet"], ["--undo", "--dry-run"]]
)
def test_options_that_do_not_go_together(options: list[str]) -> None:
    host = FakeHost()
    assert run_in(as_host(host), ["physbase", *options]) == 2
    assert len(host.messages) == 1
