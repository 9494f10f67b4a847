# SPDX-License-Identifier: GPL-3.0-or-later
"""The QEMUs of later releases, with a stand-in for their packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from lab import batch, emulator, unpacked
from lab.emulator import Emulator
from lab.errors import LabError, Unavailable
from lab.scenarios import SCENARIOS


class Packages:
    """An apt that gives one package."""

    asked = 0

    def download_whole(self, names: Sequence[str], directory: Path) -> list[Path]:
        assert names == ["qemu-system-x86"]
        self.asked += 1
        return [directory / "qemu.deb"]


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Packages:
    found = Packages()
    for release in ("next_release", "development_release"):
        monkeypatch.setattr(emulator, release, lambda *_: found)
    return found


OWN = "qemu-system-x86_64"


def _let_run(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    for module in (emulator, unpacked):
        monkeypatch.setattr(module, "run", run)


def _run(said: str, own: str = "QEMU emulator version 7.2.22 (Debian)\n") -> Any:
    def run(command: Sequence[Any], **_: Any) -> str:
        if command[0] == OWN:
            return own
        if command[0] != "dpkg-deb":
            return said
        fresh = Path(command[-1])
        for name in ("lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"):
            (fresh / "usr" / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / "usr" / name).touch()
        return ""

    return run


def test_it_is_unpacked_once(
    tmp_path: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    _let_run(monkeypatch, _run("QEMU emulator version 10.0.13 (Debian)\n"))
    root = tmp_path / "cache" / "qemu-newer"
    for _ in range(2):
        script = Path(emulator.qemu("newer", OWN, lambda _: None, root.parent))
    assert packages.asked == 1 and script.stat().st_mode & 0o111
    text = script.read_text()
    assert f"'{root}/usr/lib64/ld-linux-x86-64.so.2'" in text
    assert f"--library-path '{root}/usr/lib/x86_64-linux-gnu'" in text
    assert list(root.parent.iterdir()) == [root]


@pytest.mark.parametrize(
    ("which", "said", "needed"),
    [("newer", "8.2.0", 9), ("newer", "", 9), ("newest", "10.0.13", 11)],
)
def test_one_that_is_no_newer_is_left_out(
    tmp_path: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch,
    which: Emulator, said: str, needed: int,
) -> None:  # fmt: skip
    _let_run(monkeypatch, _run(said and f"QEMU emulator version {said}\n"))
    with pytest.raises(Unavailable, match=f"does not start: version {needed} is wanted"):
        emulator.qemu(which, OWN, lambda _: None, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("own", "enough"), [("10.0.13", ("newer",)), ("11.1.3", ("newer", "newest"))]
)
def test_the_machines_own_is_taken_where_it_is_new_enough(
    tmp_path: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch,
    own: str, enough: tuple[str, ...],
) -> None:  # fmt: skip
    version = f"QEMU emulator version {own} (Debian)\n"
    _let_run(monkeypatch, _run("QEMU emulator version 11.1.3\n", own=version))
    for which in get_args(Emulator):
        found = emulator.qemu(which, OWN, lambda _: None, tmp_path)
        assert (found == OWN) is (which in ("own", *enough)), which


def test_a_machine_without_qemu_gets_one(
    tmp_path: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = _run("QEMU emulator version 11.1.3\n")

    def run(command: Sequence[Any], **more: Any) -> str:
        if command[0] == OWN:
            raise LabError("not installed")
        return str(there(command, **more))

    _let_run(monkeypatch, run)
    assert emulator.qemu("newest", OWN, lambda _: None, tmp_path).startswith(str(tmp_path))


def test_only_guests_that_need_it_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def qemu(which: Emulator, own: str, _: Any) -> str:
        if which != "own":
            raise Unavailable("out of reach")
        return own

    monkeypatch.setattr(batch, "qemu", qemu)
    monkeypatch.setattr(batch, "get_kernel", lambda *_: None)
    monkeypatch.setattr(batch, "busybox", lambda _: None)
    chosen = [s for s in SCENARIOS if s.name in ("stream", "mapped-ram")]
    said: list[str] = []
    assert batch._left_out(chosen, said.append) == {"mapped-ram"}
    assert said == ["left out: mapped-ram: out of reach"]
    assert issubclass(Unavailable, LabError)
