# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a root of another suite, made by a stand-in for mmdebstrap: busybox alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "tools" / "in-suite"
BUSYBOX = shutil.which("busybox", path="/usr/bin:/bin")
SECONDS = 60
MAKER = """\
#!/bin/sh -e
printf '%s\\n' "$@" >'{told}'
while case $1 in -*) true ;; *) false ;; esac; do shift; done
mkdir -p "$2/bin" "$2/etc" "$2/usr/sbin"
cp '{busybox}' "$2/bin/busybox"
for name in sh sleep ls cat mount kill; do ln -s busybox "$2/bin/$name"; done
"""


def _may_make_namespaces() -> bool:
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


real = pytest.mark.skipif(
    os.geteuid() != 0
    or BUSYBOX is None
    or not (PROGRAM.parents[1] / ".git").exists()
    or not _may_make_namespaces(),
    reason="needs root that may make namespaces, busybox, and a checkout, which is copied",
)

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the program, its roots in ``roots``, what mmdebstrap was told in ``told``."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "roots").mkdir()
    maker = tmp_path / "bin" / "mmdebstrap"
    maker.write_text(MAKER.format(told=tmp_path / "told", busybox=BUSYBOX))
    maker.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    started = []

    def begin(*words: str, **settings: str) -> subprocess.Popen[str]:
        environment = {"MIRROR": "http://mirror.example/debian", "TMPDIR": str(tmp_path / "roots")}
        started.append(
            subprocess.Popen(
                [str(PROGRAM), *words],
                env={**os.environ, "PATH": path, **environment, **settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def _said(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=SECONDS)
    return process.returncode, out, errors


def _nothing_is_left(tmp_path: Path) -> None:
    assert list((tmp_path / "roots").iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def _running(mark: str) -> list[str]:
    """The processes of this machine that have a word in their command line."""
    lines = map(_content, Path("/proc").glob("[0-9]*/cmdline"))
    return [line.decode() for line in lines if mark.encode() in line.split(b"\0")]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # ended meanwhile
        return b""


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "the following arguments are required: SUITE"),
        (["trixie"], "which COMMAND?"),
        (["../trixie", "true"], "../trixie: no name of a suite"),
        (["--no-such", "trixie", "true"], "--no-such"),
    ],
)
def test_a_command_line_that_is_wrong(start: Start, words: list[str], problem: str) -> None:
    status, _, errors = _said(start(*words))
    assert status == 2 and problem in errors


def test_help(start: Start) -> None:
    status, out, _ = _said(start("--help"))
    assert status == 0 and "tools/in-suite trixie make test" in out and "--cache FOLDER" in out


@pytest.mark.skipif(os.geteuid() != 0, reason="sudo would be asked")
def test_a_machine_without_git_or_mmdebstrap(start: Start, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "python3").symlink_to(sys.executable)
    status, _, errors = _said(start("trixie", "true", PATH=str(tmp_path / "few")))
    assert status == 125 and errors.startswith("in-suite: ") and "is not installed" in errors
    _nothing_is_left(tmp_path)


@real
def test_the_command_runs_on_a_copy_of_the_checkout(start: Start, tmp_path: Path) -> None:
    script = (
        "ls README.md .venv .git; ls -d /proc/1 /sys/kernel /dev/pts; echo $HOME $TMPDIR; exit 7"
    )
    status, out, _ = _said(start("trixie", "sh", "-c", script))
    assert status == 7
    assert out.split() == ["README.md", "/dev/pts", "/proc/1", "/sys/kernel", "/root"]
    told = (tmp_path / "told").read_text().splitlines()
    assert told[-1] == "deb http://mirror.example/debian trixie main" and told[-3] == "trixie"
    assert "Valid-Until" not in "".join(told)
    _nothing_is_left(tmp_path)


@real
def test_the_development_release_may_have_an_old_index(start: Start, tmp_path: Path) -> None:
    status, _, errors = _said(start("sid", "true"))
    assert status == 0 and "date has passed" in errors
    assert '--aptopt=Acquire::Check-Valid-Until "false"' in (tmp_path / "told").read_text()


@real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_of_a_run_that_is_ended(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    mark = f"9{os.getpid()}{number}"
    process = start("trixie", "sh", "-c", f"sleep {mark} & sleep {mark}")
    _until(lambda: len(_running(mark)) == 2)
    process.send_signal(number)
    assert process.wait(SECONDS) == (-number if number == signal.SIGKILL else 128 + number)
    _until(lambda: not _running(mark))
    if number != signal.SIGKILL:  # which nobody can do anything after
        _nothing_is_left(tmp_path)


@real
def test_daemons_of_the_command_end_with_it(start: Start, tmp_path: Path) -> None:
    mark = f"9{os.getpid()}0"
    command = f"(sleep {mark} &) ; echo done"
    assert _said(start("trixie", "sh", "-c", command))[:2] == (0, "done\n")
    assert _running(mark) == []
    _nothing_is_left(tmp_path)


@real
def test_a_root_that_can_not_be_made(start: Start, tmp_path: Path) -> None:
    (tmp_path / "bin" / "mmdebstrap").write_text("#!/bin/sh\nexit 25\n")
    status, _, errors = _said(start("trixie", "true"))
    assert status == 125 and "exit status 25" in errors
    _nothing_is_left(tmp_path)


@real
def test_a_root_of_ones_own_is_used_again(start: Start, tmp_path: Path) -> None:
    own = str(tmp_path / "own")
    assert _said(start("--root", own, "trixie", "sh", "-c", "echo 1 >/kept"))[0] == 0
    (tmp_path / "told").unlink()
    assert _said(start("--root", own, "trixie", "cat", "/kept"))[:2] == (0, "1\n")
    assert not (tmp_path / "told").exists()


@real
def test_downloads_and_dumps_are_kept_for_each_suite(start: Start, tmp_path: Path) -> None:
    keep = ["--cache", str(tmp_path / "cache")]
    script = "echo 1 >lab/dumps/kept; echo 1 >/root/.cache/pip/kept"
    assert _said(start(*keep, "trixie", "sh", "-c", script))[0] == 0
    (tmp_path / "told").unlink()
    again = ["sh", "-c", "cat lab/dumps/kept /root/.cache/pip/kept"]
    assert _said(start(*keep, "trixie", *again))[:2] == (0, "1\n1\n")
    assert not (tmp_path / "told").exists()  # the bare root is kept as well
    assert _said(start(*keep, "forky", *again))[0] == 1
    _nothing_is_left(tmp_path)
