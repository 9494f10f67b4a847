# SPDX-License-Identifier: GPL-3.0-or-later
"""An object store that speaks S3, for as long as a test takes: OpenStack Swift on one folder.

Its four servers run as they do anywhere, with one device and one copy of each object. Nothing is
as root that need not be, nothing listens but on the loopback.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from .errors import LabError

KEY, SECRET = "test:tester", "testing"
_SECONDS = 60  # for the servers to start
_KINDS = ("account", "container", "object")
_COMMON = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = {workers}
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
log_level = WARNING
log_name = {kind}
"""
_SERVER = """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
_PROXY = """
[pipeline:main]
pipeline = catch_errors s3api tempauth copy slo dlo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""
_SWIFT = """\
[swift-hash]
swift_hash_path_suffix = fleet
[storage-policy:0]
name = one
default = yes
"""


class ObjectStore(NamedTuple):
    """Where it is, and what is asked of whoever comes."""

    endpoint: str

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells fsspec in another process."""
        return {
            "FSSPEC_S3_ENDPOINT_URL": self.endpoint,
            "FSSPEC_S3_KEY": KEY,
            "FSSPEC_S3_SECRET": SECRET,
        }

    def be_known(self) -> None:
        """Tell fsspec in this process, which has read its environment already."""
        from fsspec.config import conf

        conf["s3"] = {"endpoint_url": self.endpoint, "key": KEY, "secret": SECRET}


@contextmanager
def object_store(folder: Path, workers: int = 2) -> Iterator[ObjectStore]:
    """A store whose objects lie below ``folder``, which takes extended attributes.

    Raises:
        LabError: swift isn't installed, or a server doesn't start.
    """
    ports = _free_ports(len(_KINDS) + 1)
    (folder / "devices" / "one").mkdir(parents=True)
    (folder / "swift.conf").write_text(_SWIFT)
    for kind, port in zip(_KINDS, ports, strict=False):
        _configure(folder, kind, port, 1 if kind != "object" else workers, _SERVER)
        _make_ring(folder / f"{kind}.builder", port)
    _configure(folder, "proxy", ports[-1], workers, _PROXY)
    with ExitStack() as held:
        for kind in (*_KINDS, "proxy"):
            held.enter_context(_running(folder, kind))
        _wait_for(ports, folder)
        yield ObjectStore(f"http://127.0.0.1:{ports[-1]}")


def _configure(folder: Path, kind: str, port: int, workers: int, more: str) -> None:
    facts = {"kind": kind, "port": port, "workers": workers, "folder": folder}
    text = (_COMMON + more).format(**facts, user=getpass.getuser(), secret=SECRET)
    (folder / f"{kind}.conf").write_text(text)


def _make_ring(builder: Path, port: int) -> None:
    """Where each object lies: all on the one device, in sixteen partitions."""
    program = Path(sys.executable).with_name("swift-ring-builder")
    for words in (
        ("create", "4", "1", "0"),
        ("add", f"r1z1-127.0.0.1:{port}/one", "1"),
        ("rebalance",),
    ):
        done = subprocess.run(
            [program, builder, *words], capture_output=True, text=True, check=False
        )
        if done.returncode > 1:  # 1 is a warning
            raise LabError(f"swift-ring-builder: {done.stdout or done.stderr}")


@contextmanager
def _running(folder: Path, kind: str) -> Iterator[None]:
    program = Path(sys.executable).with_name(f"swift-{kind}-server")
    if not program.exists():
        raise LabError("swift: not installed (run `make setup`)")
    environment = {**os.environ, "SWIFT_DIR": str(folder)}
    with (folder / f"{kind}.log").open("wb") as log:
        server = subprocess.Popen(
            [program, folder / f"{kind}.conf", "--verbose"],
            stdout=log, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_for(ports: list[int], folder: Path) -> None:
    end = time.monotonic() + _SECONDS
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    said = "".join(log.read_text()[-500:] for log in sorted(folder.glob("*.log")))
                    raise LabError(f"the object store doesn't start: {said}") from None
                time.sleep(0.1)
