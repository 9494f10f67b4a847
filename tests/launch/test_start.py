# SPDX-License-Identifier: GPL-3.0-or-later
"""What each tool is started with, and where it is not."""

from __future__ import annotations

import gzip
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crashext.launch import look
from tests.cli.test_cli import ROOT, SAMPLE, SAMPLES, TRUTHS, VMLINUX, one_line, qemufix

ARM64, ARM64_VMLINUX = SAMPLES / "arm64-direct.elf", SAMPLES / "vmlinux-6.1.0-56-cloud-arm64"
KDUMP = next(p for p in TRUTHS if p.name == "ovmf-kaslr.kdump")


def script(path: Path, text: str) -> Path:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_files_are_told_apart_by_looking(tmp_path: Path) -> None:
    names = [str(SAMPLE), str(VMLINUX), str(KDUMP), str(tmp_path)]
    assert look.told_apart(names) == ([names[1], names[3]], [names[0], names[2]])
    assert look.told_apart(["none", str(SAMPLE)]) == (["none"], [str(SAMPLE)])
    assert look.told_apart(["none"]) == ([], ["none"])


@pytest.mark.parametrize("tool", ["crash", "drgn", "gdb"])
def test_the_order_of_words_does_not_matter(tool: str, tmp_path: Path) -> None:
    stand_in = script(tmp_path / "tool", "exit 3\n")
    option = (f"--{tool}", stand_in)
    first = qemufix(tool, "--print", *option, VMLINUX, SAMPLE)
    assert first.returncode == 0 and first.stdout.startswith(str(stand_in))
    for words in (
        ("--print", *option, SAMPLE, VMLINUX),
        (SAMPLE, "--vmlinux", VMLINUX, *option, "--dry-run"),
        (f"--vmlinux={VMLINUX}", "--print", SAMPLE, *option),
    ):
        again = qemufix(tool, *words)
        assert (again.returncode, again.stdout) == (0, first.stdout)


def test_options_of_the_tool_are_passed_on_as_they_are() -> None:
    words = ("-nx", "-batch", "-ex", "info threads", "--args", "--", "--vmlinux", "-h")
    done = qemufix("gdb", "--print", SAMPLE, "--vmlinux", VMLINUX, *words)
    assert done.returncode == 0
    assert done.stdout.endswith("-nx -batch -ex 'info threads' --args --vmlinux -h\n")


def test_what_is_behind_two_dashes_is_no_dump(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print()\n")
    words = ("drgn", "--print", "--drgn", "true", SAMPLE, "--vmlinux", VMLINUX)
    for more in (("--", tmp_path / "script.py", "--", "-h"), ("-q", "--", "x"), ("--",)):
        done = qemufix(*words, *more)
        assert done.returncode == 0
        told = " ".join(map(str, more)).replace("-- ", "", 1).removesuffix("--")
        assert done.stdout == f"true -c VIEW -s {VMLINUX} {told}".rstrip() + "\n"


def test_gdb_is_told_how_far_the_kernel_was_moved() -> None:
    done = qemufix("gdb", "--print", SAMPLE, VMLINUX)
    offset = TRUTHS[SAMPLE]["kaslr_offset"]
    assert f"symbol-file -o {offset} \"{VMLINUX}\"' -ex 'core-file VIEW'" in done.stdout


def test_without_a_vmlinux_it_says_which_one_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path))
    if Path("/usr/lib/debug/boot", f"vmlinux-{TRUTHS[KDUMP]['release']}").exists():
        pytest.skip("its debug package is installed")
    for tool in ("crash", "drgn", "gdb"):
        done = qemufix(tool, KDUMP)
        assert (done.returncode, done.stdout) == (1, "")
        said = one_line(done.stderr)
        assert TRUTHS[KDUMP]["release"] in said and TRUTHS[KDUMP]["build_id"] in said
        assert f"linux-image-{TRUTHS[KDUMP]['release']}-dbg" in said and "--vmlinux" in said


def test_a_vmlinux_that_does_not_fit_is_refused() -> None:
    other = next(p for p in sorted(SAMPLES.glob("vmlinux-6.12*amd64")))
    done = qemufix("crash", SAMPLE, "--vmlinux", other)
    assert done.returncode == 1
    said = one_line(done.stderr)
    assert str(other) in said and "another build" in said


def test_a_missing_dump_is_3() -> None:
    done = qemufix("drgn", "none.kdump", "--vmlinux", VMLINUX)
    assert done.returncode == 3 and "none.kdump" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("tool", "dump", "vmlinux", "file"),
    [
        ("crash", SAMPLE, VMLINUX, True),
        ("crash", KDUMP, VMLINUX, True),
        ("crash", ARM64, ARM64_VMLINUX, False),
        ("drgn", KDUMP, VMLINUX, False),
        ("drgn", ARM64, ARM64_VMLINUX, False),
        ("gdb", KDUMP, VMLINUX, False),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else str(value),
)
def test_what_the_tool_is_given(tool: str, dump: Path, vmlinux: Path, file: bool) -> None:
    """Its own file where it can open that and would come up right; else a view."""
    done = qemufix(tool, "--print", f"--{tool}", "true", dump, vmlinux)
    assert done.returncode == 0
    assert ("VIEW" in done.stdout, str(dump) in done.stdout) == (not file, file)
    assert (done.stderr == "") == file


@pytest.mark.parametrize("kind", ["gzip", "raw"])
def test_crash_is_never_given_what_it_does_not_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "guest"
    options: tuple[str, ...] = ()
    if kind == "gzip":
        path.write_bytes(gzip.compress(KDUMP.read_bytes()))
    else:
        from crashext.dumps import open_dump

        options = ("--format", "raw")
        with open_dump(str(SAMPLE)) as dump, path.open("wb") as raw:
            for part in dump.stored:
                raw.seek(part.start)
                raw.write(dump.read(part.start, part.size))
    done = qemufix("crash", "--print", path, *options, "--vmlinux", VMLINUX)
    assert (done.returncode, done.stdout.split()[-1]) == (0, "VIEW")
    said = done.stderr.splitlines(keepends=True)
    assert "crash reads no" in one_line(said[-1])
    assert [line for line in said[:-1] if "unpacked into the cache" not in line] == []


@pytest.mark.parametrize("known", ["ARM64", "X86_64", ""])
def test_the_crash_of_the_dumps_architecture(known: str, tmp_path: Path) -> None:
    text = f'test "$1" = --buildinfo && echo "    build_target: {known}"; exit 0\n'
    script(tmp_path / "crash", 'test "$1" = --buildinfo && echo "  build_target: PPC64"\n')
    other = script(tmp_path / "crash-arm64", text)
    env = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = qemufix("crash", "--print", ARM64, "--vmlinux", ARM64_VMLINUX, env=env)
    if known == "X86_64":
        assert done.returncode == 1
        assert "crash is for ppc64le, crash-arm64 is for x86_64" in one_line(done.stderr)
    else:
        assert (done.returncode, done.stdout.split()[0]) == (0, other.name)


def test_crash_that_does_not_come_up_is_started_minimal(tmp_path: Path) -> None:
    """It ends with 1 before its prompt, with 0 after it."""
    text = 'case "$*" in *--minimal*) echo up; exit 0;; esac; echo no page tables; exit 1\n'
    done = qemufix("crash", "--crash", script(tmp_path / "it", text), VMLINUX, SAMPLE, "-s")
    assert done.returncode == 0
    first, failed, again, up = done.stdout.splitlines()
    assert (failed, up) == ("no page tables", "up")
    assert again == first.replace("/it ", "/it --minimal ")
    assert "did not come up" in one_line(done.stderr)


def test_minimal_is_tried_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    text = f"echo x >> {count}; exit 1\n"
    tool = script(tmp_path / "it", text)
    assert qemufix("crash", "--crash", tool, VMLINUX, SAMPLE).returncode == 1
    assert count.read_text() == "x\n" * 2
    assert qemufix("crash", "--crash", tool, VMLINUX, SAMPLE, "--minimal").returncode == 1
    assert count.read_text() == "x\n" * 3


def test_signals_reach_crash(tmp_path: Path) -> None:
    ready, ended = tmp_path / "ready", tmp_path / "ended"
    text = f'trap "touch {ended}; exit 0" TERM; touch {ready}; while :; do sleep 0.1; done\n'
    argv = [sys.executable, "-m", "crashext", "crash", "--crash", script(tmp_path / "it", text),
            VMLINUX, SAMPLE]  # fmt: skip
    with subprocess.Popen(list(map(str, argv)), cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        for _ in range(200):
            if ready.exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert ended.exists()


def test_ctrl_c_is_for_crash(tmp_path: Path) -> None:
    """In a terminal: both are in the foreground, and the tool alone deals with it."""
    text = 'trap "echo interrupted" INT; echo ready\nread a || read a; echo "got $a"; exit 5\n'
    argv = [sys.executable, "-m", "crashext", "crash", "--crash", script(tmp_path / "it", text),
            VMLINUX, SAMPLE]  # fmt: skip
    child, terminal = pty.fork()
    if child == 0:
        # Who runs the tests in the background has them ignore it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.chdir(ROOT)
        os.execv(sys.executable, list(map(str, argv)))
    seen = b""

    def until(mark: bytes) -> None:
        nonlocal seen
        while mark not in seen:
            assert select.select([terminal], [], [], 60)[0], seen
            seen += os.read(terminal, 4096)

    until(b"ready\r\n")
    os.write(terminal, b"\x03")
    until(b"interrupted\r\n")
    os.write(terminal, b"words\n")
    until(b"got words\r\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    os.close(terminal)


@pytest.mark.parametrize("tool", ["crash", "drgn"])
def test_what_python_ignores_the_tool_does_not(tool: str, tmp_path: Path) -> None:
    """A tool's pipes end with SIGPIPE, as from a shell."""
    text = "exec grep SigIgn /proc/self/status\n"
    done = qemufix(tool, f"--{tool}", script(tmp_path / "it", text), VMLINUX, SAMPLE)
    ignored = int(done.stdout.split()[-1], 16)
    assert not ignored >> (signal.SIGPIPE - 1) & 1 and not ignored >> (signal.SIGXFSZ - 1) & 1


def test_the_fitting_vmlinux_of_a_folder_is_taken() -> None:
    done = qemufix("crash", "--print", SAMPLE, "--vmlinux", SAMPLES)
    assert done.returncode == 0 and str(VMLINUX) in done.stdout
