# SPDX-License-Identifier: GPL-3.0-or-later
"""A small fleet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashext.triage.work import children

SAMPLES = Path(__file__).parents[2] / "sample_dumps"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of several architectures, copies, and damaged and hostile files among them."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "sub").mkdir()
    for name in ("panicked.flat", "arm64-direct.elf", "s390x-panicked.flat", "ovmf-kaslr.kdump",
                 "ppc64le-radix.elf", "reset-vector.flat"):  # fmt: skip
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    whole = (SAMPLES / "ovmf-kaslr.kdump").read_bytes()
    (folder / "sub" / "cut.kdump").write_bytes(whole[: len(whole) // 2])
    (folder / "sub" / "flipped.kdump").write_bytes(
        whole[:4096] + bytes(b ^ 0x5A for b in whole[4096:8192]) + whole[8192:]
    )
    (folder / "sub" / "hostile.elf").write_bytes(b"\x7fELF\2\1\1" + b"\xff" * 5000)
    (folder / "sub" / "notes.txt").write_text("no dump\n" * 100)
    (folder / os.fsdecode(b"name-\xff\x1b[31m.elf")).write_bytes(b"\x7fELF")
    return folder


@pytest.fixture(autouse=True)
def fresh_children() -> Iterator[None]:
    """A child knows what this process knew when it started: nothing of another test's."""
    children.end()
    yield
    children.end()
