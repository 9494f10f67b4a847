# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of versions: it is what is kept, and this machine's row of it holds."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab.versions import course
from lab.versions.kept import Kept, Tried, series
from lab.versions.page import WANTED, write_page
from lab.versions.session import (
    COMMANDS,
    Guest,
    Outcome,
    Session,
    judged,
    opened,
    put_right,
    started_right,
)
from lab.versions.systems import Crash, Python, System, this_machine

ROOT = Path(__file__).parents[2]
PAGE, KEPT = ROOT / "docs" / "versions.md", ROOT / "docs" / "versions.json"
PLUGIN = ROOT / "qemufix.so"
DUMP = ROOT / "lab" / "dumps" / "qemu-newest.kdump"

TRUTH = {"release": "6.1.0-x", "symbols": {"linux_banner": "0xffffffff91b1ffe0"}}
GUEST = Guest(Path("dump"), Path("vmlinux"), TRUTH)
RIGHT = Session(
    "",
    {
        **dict.fromkeys(COMMANDS, "said\n"),
        "sym linux_banner": "ffffffff91b1ffe0 (D) linux_banner\n",
        "log": "[    0.000000] Linux version 6.1.0-x (someone)\n",
        "ps": ">     0      0  0  ...  [swapper/0]\n      1      0  0  ...  init\n",
        "p init_uts_ns": '    release = "6.1.0-x\\000"\n',
    },
)
IN_PROCESS = "Re-initialising the session with phys_base 0x0, KASLR offset 0x0.\n"
RESTART = "Starting crash again with phys_base 0x0, KASLR offset 0x0.\n"


def test_the_page_is_what_is_kept(tmp_path: Path) -> None:
    again = tmp_path / "page.md"
    again.write_text(PAGE.read_text())
    write_page(Kept.read(KEPT), again)
    assert again.read_text() == PAGE.read_text()


def test_what_is_kept_is_written_as_it_was_read(tmp_path: Path) -> None:
    Kept.read(KEPT).write(tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == KEPT.read_text()


def test_nothing_that_was_tried_failed() -> None:
    tried = Kept.read(KEPT).tried.values()
    assert not [each for each in tried if each.way == "failed"]
    assert {each.crash for each in tried} >= set(WANTED["crash"])
    assert {each.way for each in tried} >= {"in process", "not opened"}


def test_another_build_of_the_same_series_takes_the_place_of_the_first() -> None:
    kept = Kept()
    first = Tried("8.0.2", "3.11.2", "7.2.22", "6.1.0-56-cloud-amd64", "restart")
    kept.add(
        [
            first,
            replace(first, python="3.11.9", qemu="7.2.23", kernel="6.1.0-57-x", way="in process"),
        ]
    )
    (one,) = kept.tried.values()
    assert (one.python, one.way) == ("3.11.9", "in process")
    assert [series(v) for v in ("3.14.10", "11.1.3", "6.12.117+deb12")] == ["3.14", "11.1", "6.12"]


@pytest.mark.parametrize(("said", "way"), [(IN_PROCESS, "in process"), (RESTART, "restart")])
def test_the_way_is_what_the_session_says(said: str, way: str) -> None:
    outcome = judged(GUEST, RIGHT, Session(said, RIGHT.printed))
    assert (outcome.way, outcome.why) == (way, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_one_command_that_prints_something_else_is_a_failure(command: str) -> None:
    for other in ({**RIGHT.printed, command: "else\n"}, dict(RIGHT.printed)):
        if other[command] != "else\n":
            del other[command]
        outcome = judged(GUEST, RIGHT, Session(IN_PROCESS, other))
        assert outcome.way == "failed" and command in outcome.why


def test_a_session_that_does_not_say_what_it_did_is_a_failure() -> None:
    for said in ("", IN_PROCESS + RESTART):
        assert judged(GUEST, RIGHT, Session(said, RIGHT.printed)).way == "failed"


def test_what_a_session_started_right_lacks_is_said() -> None:
    """Two sessions that both know nothing would be alike."""
    printed = {**RIGHT.printed, "ps": ">     0      0  0  ...  [swapper/0]\n"}
    outcome = judged(GUEST, Session("", printed), Session(IN_PROCESS, printed))
    assert outcome.way == "in process" and outcome.why.endswith("show all of ps")


def test_a_crash_that_does_not_come_up_is_told_by_its_last_words() -> None:
    outcome = opened(Session("crash: read of stack at fffffe0000014000 failed\n", {}))
    assert outcome is not None
    assert (outcome.way, outcome.why) == ("not opened", "read of stack at ... failed")
    assert opened(RIGHT) is None


def test_a_session_that_is_too_slow_is_no_proof_of_anything() -> None:
    outcome = opened(Session("", {}, late=True))
    assert outcome is not None and outcome.way == "failed"


def test_other_pythons_are_tried_on_a_guest_that_the_crash_opens() -> None:
    def guest(release: str) -> Guest:
        return Guest(Path(release), Path("vmlinux"), {"qemu": "7.2.22", "release": release})

    crash = Crash("8.0.6", "crash", Path("include"))
    own, other = Python("3.13.5", "python3.13"), Python("3.14.10", "python3.14")
    systems = [System("own", crash, (own,)), System("other", None, (other,))]
    guests, kept = [guest("6.1.0-x"), guest("6.12.0-x")], Kept()
    asked = list(course._each_guest(systems, guests))
    assert asked == [(crash, own, each) for each in guests]
    ways = (Outcome("not opened"), Outcome("in process"))
    kept.add(each.became(way) for each, way in zip(asked, ways, strict=True))
    further = partial(course._each_python, systems, guests, kept)
    assert list(further(every=False)) == [(crash, other, guests[1])]
    assert list(further(every=True)) == [(crash, other, each) for each in guests]


@pytest.mark.lab
@pytest.mark.crash
def test_this_machines_row_is_as_published() -> None:
    """Its crash and Python on a dump of the newest QEMU."""
    if not (shutil.which("crash") and PLUGIN.exists() and DUMP.exists()):
        pytest.skip("no crash, plugin or lab dump (make build sample-dumps)")
    guest, crash = Guest.of(DUMP), this_machine().crash
    assert crash is not None
    right = started_right(crash.program, guest)
    outcome = opened(right) or judged(guest, right, put_right(crash.program, guest, PLUGIN))
    assert outcome.way != "failed", outcome.why
    python = ".".join(map(str, sys.version_info[:2]))
    key = (crash.version, python, series(guest.truth["qemu"]), series(guest.truth["release"]))
    if key in (tried := Kept.read(KEPT).tried):
        # What a session started right lacks is each guest's own.
        assert outcome.way == tried[key].way, outcome.why
