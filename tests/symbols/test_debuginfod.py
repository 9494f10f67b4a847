# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a vmlinux through elfutils' own client, from servers of ours."""

from __future__ import annotations

import ctypes
import socket
from pathlib import Path

import pytest

from crashext.errors import FetchError, NotFetched
from crashext.symbols import debuginfod
from crashext.symbols.debuginfod import fetch
from crashext.symbols.places import SERVERS, Places, Wanted
from tests.cli.test_cli import SAMPLE, TRUTHS, VMLINUX

from .servers import serving

BUILD_ID = TRUTHS[SAMPLE]["build_id"]

try:
    ctypes.CDLL("libdebuginfod.so.1")
except OSError:
    pytest.skip("no libdebuginfod", allow_module_level=True)


class Told:
    """What was said, and the progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fractions: list[float] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, stage: str, fraction: float) -> None:
        assert stage
        self.fractions.append(fraction)

    def fetch(self, build_id: str = BUILD_ID) -> str:
        return fetch(build_id, say=self.say, progress=self.progress)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(SERVERS, raising=False)
    monkeypatch.setenv("DEBUGINFOD_CACHE_PATH", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(cache: Path) -> list[Path]:
    """The files with something in them, the client's own settings left out."""
    files = [p for p in cache.rglob("*") if p.is_file() and p.parent != cache]
    return [p for p in files if p.stat().st_size]


def test_size_and_server_are_said_first(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    told = Told()
    with serving(VMLINUX.read_bytes(), slow=True) as server:
        monkeypatch.setenv(SERVERS, server.url)
        path = told.fetch()
        assert server.asked == [f"/buildid/{BUILD_ID}/debuginfo"]
    assert Path(path).read_bytes() == VMLINUX.read_bytes()
    assert len(told.lines) == 1 and "53.89 KiB" in told.lines[0] and server.url in told.lines[0]
    assert told.fractions and told.fractions == sorted(told.fractions)
    assert 0 <= told.fractions[0] < 0.5 and told.fractions[-1] <= 1
    # From then on it is at hand, whether there is a server or not.
    found = Places(root=str(cache)).look(Wanted(BUILD_ID, None, None))
    assert found is not None and found.path == path
    monkeypatch.setenv(SERVERS, "http://127.0.0.1:1")
    assert Told().fetch() == path


def test_no_server_has_it(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    with serving(None) as server:
        monkeypatch.setenv(SERVERS, server.url)
        with pytest.raises(NotFetched, match=f"{server.url}: no server has this build"):
            Told().fetch()
    assert kept(cache) == []


def test_a_server_that_is_down(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv(SERVERS, f"http://127.0.0.1:{port}")
    with pytest.raises(NotFetched, match=f"{port}: Connection refused"):
        Told().fetch()
    assert kept(cache) == []


@pytest.mark.parametrize("sent", ["another kernel", "no ELF", "nothing"])
def test_something_else_is_not_kept(
    sent: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    other = VMLINUX.parent / "vmlinux-6.12.117+deb12-cloud-amd64"
    body = {"another kernel": other.read_bytes(), "no ELF": b"sorry\n" * 99, "nothing": b""}[sent]
    with serving(body) as server:
        monkeypatch.setenv(SERVERS, server.url)
        with pytest.raises(NotFetched):
            Told().fetch()
    assert kept(cache) == []


@pytest.mark.parametrize("build_id", ["", "../../etc/passwd", "3b43/..", "ab", "g" * 40, "a" * 200])
def test_only_hex_goes_out(build_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(VMLINUX.read_bytes()) as server:
        monkeypatch.setenv(SERVERS, server.url)
        with pytest.raises(NotFetched, match="nothing was asked for"):
            Told().fetch(build_id)
        assert server.asked == []


def test_without_a_server_named_nothing_is_asked() -> None:
    with pytest.raises(FetchError, match="names no server"):
        Told().fetch()


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVERS, "http://127.0.0.1:1")
    monkeypatch.setattr(debuginfod, "_LIBRARY", "libnone.so.1")
    with pytest.raises(FetchError, match="install libdebuginfod1"):
        Told().fetch()


def test_an_error_in_between_ends_it(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """What is raised while C calls is not lost, and the half of the file is."""
    told = Told()

    def fail(stage: str, fraction: float) -> None:
        if fraction > 0.2:
            raise OSError(stage)

    with serving(VMLINUX.read_bytes(), slow=True) as server:
        monkeypatch.setenv(SERVERS, server.url)
        with pytest.raises(OSError, match="fetching"):
            fetch(BUILD_ID, say=told.say, progress=fail)
    assert len(told.lines) == 1 and kept(cache) == []
