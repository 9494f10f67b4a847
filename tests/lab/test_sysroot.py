# SPDX-License-Identifier: GPL-3.0-or-later
"""A root of another architecture, from packages made here and with a stand-in for QEMU."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab import sysroot
from lab.errors import LabError

CONTROL = """\
Package: crash
Version: 1
Architecture: all
Maintainer: lab <lab@example.org>
Description: none
"""


class Packages:
    """What can be downloaded: one package with one program, or a file that is no package."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.downloads: list[tuple[str, ...]] = []

    def download_whole(self, packages: Sequence[str], directory: Path) -> list[Path]:
        self.downloads.append(tuple(packages))
        tree, deb = directory / "tree", directory / "crash_1_all.deb"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN" / "control").write_text(CONTROL)
        (tree / "usr" / "bin").mkdir(parents=True)
        (tree / "usr" / "bin" / "crash").write_text("a program")
        if self.broken:
            deb.write_bytes(b"!<arch>\n")
        else:
            command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(deb)]
            subprocess.run(command, check=True, capture_output=True)
        return [deb]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    emulator = tmp_path / "emulator"
    emulator.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    emulator.chmod(0o755)
    monkeypatch.setitem(sysroot.EMULATORS, "arm64", str(emulator))
    monkeypatch.setattr(sysroot, "CACHE", tmp_path / "the cache")
    (tmp_path / "the cache").mkdir()
    return tmp_path / "the cache"


def test_a_root_is_made_once_and_its_scripts_run_the_emulator(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = Packages()
    monkeypatch.setattr(sysroot, "apt", lambda _: packages)
    root = sysroot.make_root("arm64", lambda _: None)
    assert sysroot.make_root("arm64", lambda _: None) == root == cache / "root-arm64"
    assert packages.downloads == [sysroot.PACKAGES]
    assert (root / "usr" / "bin" / "crash").read_text() == "a program"
    said = subprocess.check_output([root / "emulated" / "crash", "--minimal", "a b"], text=True)
    assert said.splitlines() == ["-L", str(root), f"{root}/usr/bin/crash", "--minimal", "a b"]
    assert [path.name for path in cache.iterdir()] == ["root-arm64"]


def test_a_root_that_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysroot, "apt", lambda _: Packages(broken=True))
    with pytest.raises(LabError, match="dpkg-deb"):
        sysroot.make_root("arm64", lambda _: None)
    assert list(cache.iterdir()) == []
