# SPDX-License-Identifier: GPL-3.0-or-later
"""The command inside real crash: output, input files, terminal, interrupts, unloading."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from .crash_driver import OPENED, PLUGIN, ROOT, TIMEOUT, environment, guest, run_crash
from .leftovers import Left, look
from .terminal import Terminal

pytestmark = [pytest.mark.crash, pytest.mark.lab]

WRONG = ("-s", "--minimal", "--kaslr=0", "--machdep", "phys_base=0")


def test_output_goes_where_crash_sends_it(tmp_path: Path) -> None:
    case = guest(OPENED)
    commands = [
        f"extend {PLUGIN}",
        "qemufix physbase --json > answer.json",
        "qemufix detect | wc -l > lines",
        "qemufix detect >> twice",
        "qemufix detect >> twice",
        "qemufix detect | head -1 > first",
        "qemufix nonsense > /dev/null",
        "help qemufix > help",
        "!echo after >> lines",
    ]
    out = run_crash(case.argv(*WRONG), commands, cwd=tmp_path).out
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["phys_base"] == case.phys_base
    count, after = (tmp_path / "lines").read_text().split()
    assert after == "after"
    detected = (tmp_path / "twice").read_text()
    assert detected.count("\n") == 2 * int(count)
    assert (tmp_path / "first").read_text() == detected.splitlines(keepends=True)[0]
    assert re.search(r"^qemufix: .*nonsense", out, re.M)
    assert "Traceback" not in out
    page = (tmp_path / "help").read_text()
    for part in ("NAME\n", "SYNOPSIS\n", "DESCRIPTION\n", "EXAMPLE\n", "crash> qemufix detect"):
        assert part in page


def test_input_file_goes_on_in_the_applied_session(tmp_path: Path) -> None:
    """Nothing is lost and nothing runs twice, in the file and on stdin behind it."""
    case = guest(OPENED)
    script = tmp_path / "todo"
    lines = [f"extend {PLUGIN}", "!echo 1 >> trace", "qemufix physbase --apply | cat > said",
             "!echo 2 >> trace", "p init_task.comm > comm"]  # fmt: skip
    script.write_text("".join(line + "\n" for line in lines))
    done = run_crash(
        case.argv(*WRONG, "-i", str(script)), ["!echo 3 >> trace", "quit"], cwd=tmp_path
    )
    assert (tmp_path / "trace").read_text().split() == ["1", "2", "3"], done.out
    assert "Done" in (tmp_path / "said").read_text()
    assert "swapper" in (tmp_path / "comm").read_text()
    assert done.status == 0


def test_stdin_from_a_file_is_not_read_twice_when_apply_fails(tmp_path: Path) -> None:
    """A copy that ends must leave the session's place in its input alone."""
    case = guest(OPENED)
    todo = tmp_path / "todo"
    lines = [f"extend {PLUGIN}", "!echo 1 >> trace", "qemufix physbase --apply",
             "!echo 2 >> trace", "qemufix detect", "!echo 3 >> trace"]  # fmt: skip
    todo.write_text("".join(line + "\n" for line in lines))
    env = environment(QEMUFIX_TIME_LIMIT="0.3")
    with todo.open("rb") as stdin:
        subprocess.run(case.argv(*WRONG), stdin=stdin, stdout=(tmp_path / "out").open("wb"),
                       stderr=subprocess.STDOUT, cwd=tmp_path, env=env, timeout=TIMEOUT,
                       check=False)  # fmt: skip
    assert (tmp_path / "trace").read_text().split() == ["1", "2", "3"]
    assert "not done within 0.3 s" in (tmp_path / "out").read_text()


def test_unload_and_load_again(tmp_path: Path) -> None:
    case = guest(OPENED)
    load, unload = f"extend {PLUGIN}", f"extend -u {PLUGIN}"
    commands = []
    for _ in range(3):
        commands += [load, "qemufix detect > /dev/null", unload]
    commands += [unload, "qemufix detect", load, "qemufix physbase --apply", unload, load,
                 "qemufix physbase --apply | tail -1 > last", "sys | head -1 > sys"]  # fmt: skip
    out = run_crash(case.argv(*WRONG), commands, cwd=tmp_path).out
    assert out.count("shared object loaded") == 5
    assert out.count("shared object unloaded") == 4
    assert "nothing to change" in (tmp_path / "last").read_text()
    assert "KERNEL" in (tmp_path / "sys").read_text()


def test_another_version_of_crash_is_refused_in_one_line(tmp_path: Path) -> None:
    subprocess.run(
        ["make", "-s", "-f", "bridge/build.mk", f"{tmp_path}/qemufix.so", "CRASH_VERSION=7.9.9",
         f"SHIM={tmp_path}/qemufix.so"],
        cwd=ROOT, check=True,
    )  # fmt: skip
    case = guest(OPENED)
    commands = [f"extend {tmp_path}/qemufix.so", "sym linux_banner"]
    out = run_crash(case.argv(*WRONG), commands, cwd=tmp_path).out
    assert re.search(r"built for crash 7\.9\.9, this is crash \d", out)
    assert "shared object loaded" not in out
    assert "(D) linux_banner" in out


def test_terminal_and_interrupts(tmp_path: Path) -> None:
    """Ctrl-C ends the command and not the session; an applied session has the terminal."""
    case = guest(OPENED)
    crash = Terminal(case.argv(*WRONG), tmp_path)
    at = crash.read_until("crash> ")
    crash.type(f"extend {PLUGIN}\n")
    at = crash.read_until("crash> ", crash.read_until("shared object loaded", at))
    crash.type("qemufix physbase --apply\n")
    at = crash.read_until("Re-initialising", at)
    time.sleep(0.5)
    crash.type("\x03")
    at = crash.read_until("crash> ", crash.read_until("interrupted", at))
    crash.type("qemufix physbase --apply\n")
    at = crash.read_until("crash> ", crash.read_until("Done", at))
    crash.type("p init_task.comm\n")
    at = crash.read_until("crash> ", crash.read_until("swapper", at))
    crash.type("\x03")
    at = crash.read_until("crash> ", at)
    crash.type("sys\n")
    crash.read_until("RELEASE", at)
    assert crash.close() == 0


@pytest.mark.parametrize(
    ("how", "words"),
    [("", "Done"), ("--restart", "Starting crash again")],
)
def test_pager(how: str, words: str, tmp_path: Path) -> None:
    """The prompt comes back when the reader of the command's output has ended."""
    case = guest(OPENED)
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\ncat > seen; sleep 1; echo pager-done\n")
    pager.chmod(0o755)
    argv = [arg for arg in case.argv(*WRONG[1:]) if arg != "--no_scroll"]
    crash = Terminal([*argv, "--CRASHPAGER"], tmp_path, CRASHPAGER=str(pager))
    at = crash.read_until("crash> ")
    for command, output in (
        (f"extend {PLUGIN}", "loaded"),
        ("qemufix detect", "written by QEMU"),
        (f"qemufix physbase --apply {how}", words),
    ):
        crash.type(command + "\n")
        at = crash.read_until("pager-done", at)
        assert output in (tmp_path / "seen").read_text()
        at = crash.read_until("crash> ", at)
    crash.type("sys\n")
    crash.read_until("pager-done", at)
    at = crash.read_until("crash> ", at)
    assert "RELEASE" in (tmp_path / "seen").read_text()
    crash.type("h\n")
    for typed in ("extend", "qemufix detect", "qemufix physbase --apply", "sys"):
        at = crash.read_until(typed, at)
    crash.read_until("crash> ", at)
    assert crash.close() == 0


def test_nothing_is_left_of_commands(tmp_path: Path) -> None:
    """No Python comes into the session, and 50 commands leave no more than one does."""
    case = guest(OPENED)
    commands = [f"extend {PLUGIN}", "qemufix physbase > /dev/null", look("before")]
    commands += [
        "qemufix physbase > /dev/null",
        "qemufix nonsense",
        "qemufix detect | head -1",
    ] * 17
    commands += [look("after"), "!cat /proc/$PPID/maps > maps; cat /proc/$PPID/comm > comm"]
    run_crash(case.argv(*WRONG), commands, cwd=tmp_path)
    assert (tmp_path / "comm").read_text() == "crash\n"
    maps = (tmp_path / "maps").read_text()
    assert "qemufix.so" in maps
    assert "_host.so" in maps
    assert "libpython" not in maps
    before, after = Left.read(tmp_path / "before"), Left.read(tmp_path / "after")
    after.shows_no_leak_since(before)


def test_module_symbols_load_in_an_applied_session(tmp_path: Path) -> None:
    """gdb reads them with threads, which a forked copy does not have."""
    case = guest(OPENED)
    modules = case.vmlinux.parent / case.vmlinux.name.replace("vmlinux", "modules")
    module = modules / "qemu_fw_cfg.ko"
    if not module.exists():
        pytest.skip(f"the lab keeps no {module.name}")
    commands = [f"extend {PLUGIN}", "qemufix physbase --apply", f"mod -s qemu_fw_cfg {module}",
                "mod | grep qemu_fw_cfg > mod", "sym -m qemu_fw_cfg > symbols"]  # fmt: skip
    out = run_crash(case.argv(*WRONG), commands, cwd=tmp_path).out
    assert str(module) in (tmp_path / "mod").read_text(), out
    assert "fw_cfg_is_mmio" in (tmp_path / "symbols").read_text()
