# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps on another machine, over SSH."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashext.cli import run
from crashext.triage.places import remote
from crashext.triage.places.find import find
from crashext.triage.work import children, row_of

from .runs import facts

asyncssh = pytest.importorskip("asyncssh")
pytest.importorskip("paramiko")

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
NAMES = ("ovmf-kaslr.elf", "ovmf-kaslr.kdump", "panicked.flat")
USER, PASSWORD = "operator", "correct"


class _Server(asyncssh.SSHServer):  # type: ignore[misc, name-defined]
    dropped = 0  # connections from the next one on

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:  # type: ignore[name-defined]
        if _Server.dropped:
            _Server.dropped -= 1
            conn.abort()

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a folder that an SSH server has, and where it is."""
    folder = tmp_path_factory.mktemp("remote")
    for name in NAMES:
        shutil.copy(SAMPLES / name, folder)
    (folder / "cut.kdump").write_bytes((folder / NAMES[1]).read_bytes()[:50000])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_listen(folder), loop).result(30)
    yield f"sftp://127.0.0.1:{server.get_port()}", folder
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)


async def _listen(folder: Path) -> asyncssh.SSHAcceptor:  # type: ignore[name-defined]
    return await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Server,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder)),
    )


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks is said in fsspec's configuration, as FSSPEC_SFTP_USERNAME would."""
    from fsspec.config import conf

    monkeypatch.setattr(remote, "_PAUSE", 0.001)
    monkeypatch.setitem(conf, "sftp", {"username": USER, "password": PASSWORD})


def test_a_folder_s_dumps_are_found_and_their_rows_are_those_of_local_ones(
    place: tuple[str, Path],
) -> None:
    url, folder = place
    found = [item.url for item in find([f"{url}/"], pytest.fail)]
    assert sorted(found) == sorted(f"{url}/{path.name}" for path in folder.iterdir())
    for each in found:
        assert facts(row_of(each)) == facts(row_of(str(folder / each.rpartition("/")[2])))


def test_what_is_not_there_and_who_may_not_ask_is_said(
    place: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.config import conf

    url, _ = place
    assert row_of(f"{url}/nothing.elf").failure == "unreadable"
    monkeypatch.setitem(conf, "sftp", {"username": USER, "password": "wrong"})
    children.end()
    row = row_of(f"{url}/{NAMES[0]}")
    assert row.failure == "unreadable" and PASSWORD not in row.reason and "wrong" not in row.reason


def test_a_connection_that_is_dropped_is_made_again(place: tuple[str, Path]) -> None:
    """As sshd does with those beyond its MaxStartups."""
    url, folder = place
    _Server.dropped = 2
    assert facts(row_of(f"{url}/{NAMES[0]}")) == facts(row_of(str(folder / NAMES[0])))
    assert _Server.dropped == 0


def test_repaired_dumps_are_written_beside_them(
    place: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    url, folder = place
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run(["triage", "--json", "--repair", "--jobs", "1", *(f"{url}/{name}" for name in NAMES)])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["repaired"] for row in rows} == {"beside"}, [row["reason"] for row in rows]
    for row in rows:
        made = folder / row["repaired_to"].rpartition("/")[2]
        assert row_of(str(made)).verdict == "openable"
    assert {name: (folder / name).read_bytes() for name in before} == before
