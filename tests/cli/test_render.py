# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for people: nothing from a dump reaches the terminal raw."""

from __future__ import annotations

import io

import pytest

from crashext.cli.detection import detection_text
from crashext.cli.progress import Progress
from crashext.cli.render import location_text
from crashext.detect.result import Detection, Evidence, HeaderPhysBase
from crashext.dumps.base import Range
from crashext.locate.result import Evidence as Held
from crashext.locate.result import Location

EVIL = "\x1b]0;owned\x07"
KERNEL = {
    "index": 0, "chosen": False, "state": "stale", "boot_state": "up", "vcpus": [],
    "id": "0x1000000", "phys_base": "0x0", "kaslr_offset": None, "release": EVIL,
}  # fmt: skip


def test_escapes_in_a_location() -> None:
    answer = Location(
        EVIL, "x86_64", False, release=EVIL, banner=EVIL, method=EVIL, confirmed_by=(EVIL,),
        evidence=(Held("x", EVIL),), warnings=(EVIL,), reason=EVIL,
        kernels=(KERNEL, KERNEL), debug_packages=(EVIL,), debug_install=(EVIL,),
    )  # fmt: skip
    assert all(line.isprintable() and line.isascii() for line in location_text(answer))


def test_escapes_in_a_detection() -> None:
    answer = Detection(
        EVIL, "elf", False, "none", "x86_64", 1, (Range(0, 4096),), "qemu", "weak", None,
        (Evidence("utsname", EVIL, "qemu", "weak"),), False,
        HeaderPhysBase(None, "absent", "no field"), True, (EVIL,),
    )  # fmt: skip
    assert all(line.isprintable() and line.isascii() for line in detection_text(answer))


def test_many_kernels_are_summed_up() -> None:
    answer = Location("d", "x86_64", False, kernels=(KERNEL,) * 100_000)
    lines = list(location_text(answer))
    assert len(lines) < 50
    assert any("99968 more" in line for line in lines)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_waits_shows_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    terminal = Terminal()
    with Progress(terminal) as progress:
        progress("searching", 0.1)
        assert terminal.getvalue() == ""
        now[0] = 2.0
        progress("searching", 0.5)
        assert "searching:  50%, about 2 s left" in terminal.getvalue()
    assert terminal.getvalue().endswith(" \r")


def test_no_progress_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    plain = io.StringIO()
    with Progress(plain) as progress:
        now[0] = 60.0
        progress("searching", 0.5)
    assert plain.getvalue() == ""
