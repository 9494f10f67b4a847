# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vmlinux is taken where none is given, and what is said of it: whole processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_cli import ROOT, SAMPLE, SAMPLES, TRUTHS, VMLINUX, one_line, qemufix
from tests.symbols.debug_files import Files, debug_files
from tests.symbols.servers import serving
from tests.symbols.test_debuginfod import kept

TRUTH = TRUTHS[SAMPLE]
BUILD_ID = TRUTH["build_id"]
OTHER = SAMPLES / "vmlinux-6.12.117+deb12-cloud-amd64"
LAB = ROOT / "lab" / "dumps"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return debug_files(VMLINUX, tmp_path_factory.mktemp("kernel"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own: who has the debug package installed gets that one, which fits too."""
    if Path("/usr/lib/debug/boot", f"vmlinux-{TRUTH['release']}").exists():
        pytest.skip("the sample's debug package is installed")
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "fetched"))
    return tmp_path / "fetched"


def put(file: Path, cache: Path) -> Path:
    target: Path = cache / BUILD_ID / "debuginfo"
    target.parent.mkdir(parents=True)
    target.write_bytes(file.read_bytes())
    return target


@pytest.mark.parametrize("tool", ["crash", "drgn", "gdb"])
def test_one_at_hand_is_taken_and_named(tool: str, files: Files, cache: Path) -> None:
    there = put(files.whole, cache)
    done = qemufix(tool, "--print", f"--{tool}", "true", SAMPLE)
    assert done.returncode == 0
    given = qemufix(tool, "--print", f"--{tool}", "true", SAMPLE, "--vmlinux", there)
    assert done.stdout == given.stdout and str(there) in done.stdout
    line, _, rest = done.stderr.partition("\n")
    assert line == f"qemufix: vmlinux: {there} (debuginfod's cache, build ID matches)"
    assert rest == given.stderr


@pytest.mark.parametrize("tool", ["drgn", "gdb"])
def test_debug_information_alone_does_for_some(tool: str, files: Files, cache: Path) -> None:
    there = put(files.debug, cache)
    done = qemufix(tool, "--print", f"--{tool}", "true", SAMPLE)
    assert done.returncode == 0 and str(there) in done.stdout
    given = qemufix(tool, "--print", f"--{tool}", "true", SAMPLE, files.debug)
    assert given.stdout.replace(str(files.debug), str(there)) == done.stdout


def test_crash_wants_the_kernel_as_well(files: Files, cache: Path) -> None:
    words = ("crash", "--print", "--crash", "true", SAMPLE)
    put(files.debug, cache)
    lacking = one_line(qemufix(*words).stderr)
    assert "debug information without the kernel itself" in lacking and "-dbg" in lacking
    for given in ((files.kernel, files.debug), (files.debug, files.kernel)):
        done = qemufix(*words, *given)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{files.kernel} {files.debug} {SAMPLE}" in done.stdout
    alone = qemufix(*words, files.debug)
    assert alone.returncode == 1 and "as well" in one_line(alone.stderr)


def test_debug_information_of_another_build_is_refused(files: Files, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = debug_files(OTHER, folder)
    for given in ((other.debug,), (files.kernel, other.debug)):
        done = qemufix("gdb", "--print", "--gdb", "true", SAMPLE, *given)
        assert done.returncode == 1
        assert f"{other.debug} is of another build" in one_line(done.stderr)


@pytest.mark.parametrize("kind", ["whole", "kernel"])
def test_physbase_searches_again_with_it(kind: str, files: Files, cache: Path) -> None:
    """Symbols do. The answer is that of the vmlinux given, and where it lies as before."""
    before = qemufix("physbase", "--json", SAMPLE)
    there = put(getattr(files, kind), cache)
    done = qemufix("physbase", "--json", SAMPLE)
    given = qemufix("physbase", "--json", SAMPLE, "--vmlinux", VMLINUX)
    assert done.returncode == 0 and before.stderr == "" and str(there) in one_line(done.stderr)
    answers = [json.loads(text.stdout) for text in (before, done, given)]
    assert [answer["vmlinux_fits"] for answer in answers] == [None, True, True]
    for answer in answers:
        del answer["stats"], answer["evidence"]  # pages are drawn by lot
    assert answers[1] == answers[2]
    assert {answer["phys_base"] for answer in answers} == {TRUTH["phys_base"]}


@pytest.mark.parametrize("kind", ["debug", "other"])
def test_physbase_passes_over_what_proves_nothing(kind: str, files: Files, cache: Path) -> None:
    before = qemufix("physbase", SAMPLE)
    put(OTHER if kind == "other" else files.debug, cache)
    done = qemufix("physbase", SAMPLE)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (text.stdout.partition("  work ")[0] for text in (before, done))
    assert first == second
    given = qemufix("physbase", SAMPLE, "--vmlinux", files.debug)
    assert given.returncode == 3 and "without the kernel itself" in one_line(given.stderr)


@pytest.mark.parametrize("command", ["physbase", "crash", "drgn", "gdb"])
def test_to_fetch_takes_a_server(command: str) -> None:
    done = qemufix(command, "--fetch", SAMPLE)
    assert done.returncode == 2 and "DEBUGINFOD_URLS" in one_line(done.stderr)


def test_nothing_is_fetched_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(VMLINUX.read_bytes()) as server:
        monkeypatch.setenv("DEBUGINFOD_URLS", server.url)
        assert json.loads(qemufix("physbase", "--json", SAMPLE).stdout)["vmlinux_fits"] is None
        done = qemufix("crash", "--print", "--crash", "true", SAMPLE)
        assert done.returncode == 1 and "--fetch" in one_line(done.stderr)
        assert server.asked == []


def test_fetched_once(files: Files, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ctypes").CDLL("libdebuginfod.so.1")
    with serving(files.whole.read_bytes()) as server:
        monkeypatch.setenv("DEBUGINFOD_URLS", server.url)
        words = ("crash", "--print", "--crash", "true", "--fetch", SAMPLE)
        first, again = qemufix(*words), qemufix(*words)
        assert len(server.asked) == 1
    fetching, taken = first.stderr.splitlines()
    assert "qemufix: fetching " in fetching and server.url in fetching
    assert f"{cache}/{BUILD_ID}/debuginfo (fetched" in taken
    assert "debuginfod's cache" in one_line(again.stderr) and again.stdout == first.stdout


@pytest.mark.parametrize("what", ["down", "404", "another"])
def test_physbase_answers_without_it(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(OTHER.read_bytes() if what == "another" else None) as server:
        url = "http://127.0.0.1:1" if what == "down" else server.url
        monkeypatch.setenv("DEBUGINFOD_URLS", url)
        done = qemufix("physbase", "--fetch", "--json", SAMPLE)
    assert done.returncode == 0
    assert json.loads(done.stdout)["phys_base"] == TRUTH["phys_base"]
    *_, last = done.stderr.splitlines()
    assert ("sent another file" if what == "another" else url) in last


def test_ctrl_c_leaves_nothing_behind(files: Files, cache: Path) -> None:
    argv = [sys.executable, "-m", "crashext", "crash", "--fetch", "--print", str(SAMPLE)]
    # Who runs the tests in the background has them ignore it.
    argv = [sys.executable, "-c", "import os, signal, sys; "
            "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
            *argv]  # fmt: skip
    with serving(files.whole.read_bytes(), slow=True) as server:
        env = {**os.environ, "DEBUGINFOD_URLS": server.url}
        with subprocess.Popen(argv, stderr=subprocess.PIPE, env=env, cwd=ROOT) as process:
            assert process.stderr is not None
            assert b"fetching" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            assert process.stderr.read().strip() == b""  # click ends the line of ^C
    assert kept(cache) == []


@pytest.fixture(scope="module")
def debuginfod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server with the lab's vmlinux."""
    program = shutil.which("debuginfod")
    truth = LAB / "ovmf-kaslr.json"
    if program is None or not truth.exists():
        pytest.skip("no debuginfod, or no lab dump (make setup sample-dumps)")
    folder = tmp_path_factory.mktemp("served")
    (folder / "vmlinux").symlink_to((LAB / json.loads(truth.read_text())["vmlinux"]).resolve())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = [program, "-L", "-F", "-p", port, "-d", ":memory:", "-t", "0", "-g", "0",
             "--disable-source-scan", str(folder)]  # fmt: skip
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.mark.lab
def test_from_a_real_server(debuginfod: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole debug vmlinux, which crash could be started with."""
    monkeypatch.setenv("DEBUGINFOD_URLS", debuginfod)
    dump = LAB / "ovmf-kaslr.kdump"
    deadline = time.monotonic() + 120
    while True:  # it says that it has nothing until it has looked
        shutil.rmtree(cache, ignore_errors=True)
        done = qemufix("crash", "--print", "--crash", "true", "--fetch", dump)
        if "no server has" not in done.stderr or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert done.returncode == 0, done.stderr
    fetching, taken = done.stderr.splitlines()
    assert "MiB from" in fetching and debuginfod in fetching
    assert "fetched" in taken and str(cache) in done.stdout
    shutil.rmtree(cache)
