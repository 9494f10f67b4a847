# SPDX-License-Identifier: GPL-3.0-or-later
"""The same commands inside a crash session, with a stand-in for crash."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from crashext.cli import run
from crashext.errors import SessionError
from crashext.session.host import Settings
from tests.cli.test_cli import SAMPLE, TRUTHS, VMLINUX


class StandIn:
    """A session that notes what is asked of it."""

    dumpfile: str | None = str(SAMPLE)
    namelist = str(VMLINUX)
    crash_version = "8.0.2"
    machine = "X86_64"
    minimal = True
    can_reinit = True
    in_rc_file = False
    phys_base: int | None = 0
    kimage_voffset: int | None = None
    kaslr_offset: int | None = 0
    settings = Settings(scroll=False, radix=10, debug=0)
    record = ""
    origin_waits = False
    on_terminal = False

    def __init__(self) -> None:
        self.applied: list[tuple[int, int]] = []
        self.text = ""

    def read_phys(self, paddr: int, size: int) -> bytes | None:
        from crashext import open_dump

        with open_dump(str(SAMPLE)) as dump:
            return dump.read(paddr, size)

    def read_virt(self, vaddr: int, size: int) -> bytes | None:
        return None

    def write(self, text: str) -> None:
        self.text += text

    def message(self, line: str) -> None:
        raise AssertionError(line)

    def reinit(self, phys_base: int, kaslr_offset: int, limit: float, record: str) -> None:
        self.applied.append((phys_base, kaslr_offset))

    def restart(self, args: Sequence[str], script: bytes, record: str) -> None:
        raise AssertionError(args)

    def go_back(self, record: str) -> None:
        raise AssertionError(record)

    def command_line(self) -> list[str]:
        return ["crash"]

    def pending_script(self) -> bytes:
        return b""

    def extensions(self) -> list[str]:
        return []


class Answer:
    """What one command line gave."""

    def __init__(self, host: StandIn, *args: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status = run(args, session=host, out=out, err=err)
        self.out, self.err = out.getvalue(), err.getvalue()


def test_detect_takes_the_sessions_dump() -> None:
    answer = Answer(StandIn(), "detect", "--json")
    assert answer.status == 0
    assert json.loads(answer.out)["path"] == str(SAMPLE)
    assert answer.err == ""


def test_limits_are_for_the_sessions_dump() -> None:
    assert Answer(StandIn(), "detect", "--max-memory", "90M").status == 0
    answer = Answer(StandIn(), "detect", "--max-memory", "100")
    assert answer.status == 3 and "--max-memory" in answer.err


def test_physbase_takes_the_sessions_kernel() -> None:
    answer = Answer(StandIn(), "physbase", "--json")
    found = json.loads(answer.out)
    assert found["phys_base"] == TRUTHS[SAMPLE]["phys_base"]
    assert "linux_banner" in found["confirmed_by"]


def test_apply_gives_the_session_the_answer() -> None:
    host = StandIn()
    assert Answer(host, "physbase", "--apply").status == 0
    truth = TRUTHS[SAMPLE]
    phys_base = int(truth["phys_base"], 16)
    signed = phys_base - (1 << 64) if phys_base >> 63 else phys_base
    assert host.applied == [(signed, int(truth["kaslr_offset"], 16))]


@pytest.mark.parametrize("args", [("--apply", "--dry-run"), ("--dry-run",)])
def test_dry_run_applies_nothing(args: tuple[str, ...]) -> None:
    host = StandIn()
    assert Answer(host, "physbase", *args).status == 0
    assert host.applied == []
    assert TRUTHS[SAMPLE]["phys_base"] in host.text


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["detect", "other.dump"], "the session's"),
        (["physbase", "--vmlinux", "x"], "the session's"),
        (["physbase", "--restart"], "--apply"),
        (["detect", "--format", "raw"], "the session's"),
        (["crash", "a", "b"], "crash already"),
    ],
)
def test_what_makes_no_sense_inside_crash(args: list[str], word: str) -> None:
    answer = Answer(StandIn(), *args)
    assert (answer.status, answer.out) == (2, "")
    assert word in answer.err


def test_help_goes_to_crashs_output(capsys: pytest.CaptureFixture[str]) -> None:
    answer = Answer(StandIn(), "physbase", "--help")
    assert "--apply" in answer.out
    assert capsys.readouterr() == ("", "")


def test_a_live_session_is_refused() -> None:
    host = StandIn()
    host.dumpfile = None
    answer = Answer(host, "detect")
    assert answer.status == 1
    assert "live" in answer.err


def test_a_failed_apply_says_why() -> None:
    class Failing(StandIn):
        def reinit(self, phys_base: int, kaslr_offset: int, limit: float, record: str) -> None:
            raise SessionError("no way")

    answer = Answer(Failing(), "physbase", "--apply")
    assert (answer.status, answer.err) == (1, "qemufix: no way\n")


def test_an_error_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh\x1b[1m")

    monkeypatch.setattr("crashext.detect.detect", broken)
    answer = Answer(StandIn(), "detect")
    assert answer.status == 70
    assert answer.err.count("\n") == 1
    assert "please report" in answer.err
    assert "\x1b" not in answer.err


def test_an_interrupt_is_130_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crashext.detect.detect", interrupted)
    answer = Answer(StandIn(), "detect")
    assert (answer.status, answer.out, answer.err) == (130, "", "")
