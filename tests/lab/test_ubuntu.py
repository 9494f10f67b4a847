# SPDX-License-Identifier: GPL-3.0-or-later
"""Ubuntu's kernels are asked for where the user says, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from lab import kernels, packages, ubuntu
from lab.errors import Unavailable
from lab.kernels import Kernel
from lab.scenarios import SCENARIOS
from lab.ubuntu import SERIES


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a mirror and a key."""
    path = tmp_path / "ubuntu.gpg"
    path.write_bytes(b"key")
    monkeypatch.setenv("UBUNTU_KEYRING", str(path))
    monkeypatch.setenv("UBUNTU_MIRROR", "http://mirror.example/ubuntu")
    return path


def test_nobody_is_asked_unless_named(
    keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UBUNTU_MIRROR")
    with pytest.raises(Unavailable, match="UBUNTU_MIRROR"):
        ubuntu.ubuntu.__wrapped__("ubuntu", "amd64", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [keyring.name]


def test_an_index_that_nothing_vouches_for_is_not_read(keyring: Path, tmp_path: Path) -> None:
    keyring.unlink()
    with pytest.raises(Unavailable, match="key of Ubuntu's archive"):
        ubuntu.ubuntu.__wrapped__("ubuntu", "amd64", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_series_of_the_kernel_asked_for(
    keyring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "run", lambda *_, **__: "")
    made = ubuntu.ubuntu.__wrapped__("ubuntu-newer", "amd64", tmp_path)
    assert made.config is not None
    lines = (made.config.parent / "sources.list").read_text().splitlines()
    where = f"deb [arch=amd64 signed-by={keyring}] http://mirror.example/ubuntu"
    assert lines == [f"{where} resolute main", f"{where} resolute-updates main"]


def test_each_of_its_guests_has_a_series() -> None:
    asked = {scenario.kernel for scenario in SCENARIOS if scenario.group == "ubuntu"}
    assert asked == SERIES.keys()


@pytest.mark.parametrize(("ending", "content"), [
    ("", b"module"), (".zst", zstandard.compress(b"module")),
])  # fmt: skip
def test_a_module_is_kept_unpacked(tmp_path: Path, ending: str, content: bytes) -> None:
    kernel = Kernel("6.8.0-31-generic", tmp_path)
    kernel.modules.mkdir()
    name = f"./lib/modules/{kernel.release}/kernel/drivers/virtio/virtio-pci.ko{ending}"
    with (tmp_path / "data").open("w+b") as data:
        data.write(content)
        data.seek(0)
        kernels._keep_image(kernel, name, data)
    assert (kernel.modules / "virtio_pci.ko").read_bytes() == b"module"
