# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line and the commands of a session that is started again."""

from __future__ import annotations

import pytest

from crashext.errors import SessionError
from crashext.session.host import Settings
from crashext.session.restart import carry_over, new_command_line, restart

from .fake_host import FakeHost, as_host

RIGHT = ("--kaslr=0x200000", "--machdep", "phys_base=0x1000000")
FILES = ["vmlinux", "dump"]


@pytest.mark.parametrize(
    ("old", "kept"),
    [
        ([], []),
        (["--minimal"], []),
        (["--min"], []),
        (["--kaslr=0"], []),
        (["--kaslr", "0"], []),
        (["--kas", "auto"], []),
        (["--machdep", "phys_base=0"], []),
        (["--machdep=phys_base=0"], []),
        (["--mac", "phys_base=0"], []),
        (["-m", "phys_base=0"], []),
        (["-mphys_base=0"], []),
        (["-m", "phys_base=0,vm=5level"], ["--machdep", "vm=5level"]),
        (["--machdep", "vm=5level"], ["--machdep", "vm=5level"]),
        (["-m", "phys_base=1", "-m", "irq_eframe_link=8"], ["--machdep", "irq_eframe_link=8"]),
        (["-i", "commands"], []),
        (["-icommands"], []),
        (["-s", "--no_scroll"], ["-s", "--no_scroll"]),
        (["--mod", "/lib/modules"], ["--mod", "/lib/modules"]),
        (["--src=/usr/src"], ["--src=/usr/src"]),
        (["--more"], ["--more"]),
        (["-d", "1", "-p", "4096"], ["-d", "1", "-p", "4096"]),
    ],
)
def test_only_what_is_replaced_goes(old: list[str], kept: list[str]) -> None:
    assert new_command_line(["crash", *old, *FILES], RIGHT) == ["crash", *RIGHT, *kept, *FILES]


def test_input_file_not_begun_stays() -> None:
    args = new_command_line(["crash", "-i", "todo", *FILES], RIGHT, keep_script=True)
    assert args == ["crash", *RIGHT, "-i", "todo", *FILES]


def test_extensions_settings_and_waiting_lines_are_carried_over() -> None:
    host = FakeHost(
        settings=Settings(scroll=True, radix=16, debug=4),
        loaded=("/usr/lib/crash/extensions/trace.so", "./qemufix.so"),
        script=b"bt -a\nquit\n",
    )
    assert carry_over(as_host(host)).decode().splitlines() == [
        "extend /usr/lib/crash/extensions/trace.so",
        "extend ./qemufix.so",
        "set scroll on > /dev/null",
        "set radix 16 > /dev/null",
        "set debug 4 > /dev/null",
        "bt -a",
        "quit",
    ]


def test_rc_file_runs_again_as_a_whole() -> None:
    host = FakeHost(in_rc_file=True, script=b"set hex\n", argv=("crash", "-i", "todo", *FILES))
    restart(as_host(host), RIGHT)
    assert host.restarts == [(["crash", *RIGHT, "-i", "todo", *FILES], b"")]


def test_other_files_take_the_place_of_the_dumps() -> None:
    old = ["crash", "--minimal", "vmlinux", "part1", "part2", "-s"]
    args = new_command_line(old, RIGHT, files=["view"], instead_of=["part1", "part2"])
    assert args == ["crash", *RIGHT, "vmlinux", "-s", "view"]


def test_a_dump_that_crash_was_not_given_is_not_replaced() -> None:
    host = FakeHost(dumpfile="other.elf")
    with pytest.raises(SessionError, match="by hand on view"):
        restart(as_host(host), RIGHT, ["view"])
    assert not host.restarts
