# SPDX-License-Identifier: GPL-3.0-or-later
"""The QEMU of the next release, with a stand-in for its packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import batch, emulator
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
    monkeypatch.setattr(emulator, "next_release", lambda: found)
    return found


def _run(said: str) -> Any:
    def run(command: Sequence[Any], **_: Any) -> str:
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
    monkeypatch.setattr(emulator, "run", _run("QEMU emulator version 10.0.13 (Debian)\n"))
    root = tmp_path / "cache" / "qemu"
    for _ in range(2):
        script = emulator.newer_qemu(lambda _: None, root)
    assert packages.asked == 1 and script.stat().st_mode & 0o111
    text = script.read_text()
    assert f"'{root}/usr/lib64/ld-linux-x86-64.so.2'" in text
    assert f"--library-path '{root}/usr/lib/x86_64-linux-gnu'" in text
    assert list(root.parent.iterdir()) == [root]


@pytest.mark.parametrize("said", ["QEMU emulator version 8.2.0\n", ""])
def test_one_that_is_no_newer_is_left_out(
    tmp_path: Path, packages: Packages, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(emulator, "run", _run(said))
    with pytest.raises(Unavailable, match="does not start: version 9 is wanted"):
        emulator.newer_qemu(lambda _: None, tmp_path / "qemu")
    assert not (tmp_path / "qemu").exists()


def test_only_guests_that_need_it_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_: Any) -> Path:
        raise Unavailable("out of reach")

    monkeypatch.setattr(batch, "newer_qemu", unavailable)
    monkeypatch.setattr(batch, "get_kernel", lambda *_: None)
    monkeypatch.setattr(batch, "busybox", lambda _: None)
    chosen = [s for s in SCENARIOS if s.name in ("stream", "mapped-ram")]
    said: list[str] = []
    assert batch._left_out(chosen, said.append) == {"mapped-ram"}
    assert said == ["left out: mapped-ram: out of reach"]
    assert issubclass(Unavailable, LabError)
