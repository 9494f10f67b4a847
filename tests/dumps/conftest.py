# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the reader's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crashext import Dump, open_dump

Opener = Callable[..., Dump]


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    """Open dumps given as the bytes of their files."""

    def opener(*images: bytes) -> Dump:
        paths = []
        for index, image in enumerate(images):
            path = tmp_path / f"dump{index}"
            path.write_bytes(image)
            paths.append(path)
        return open_dump(*paths)

    return opener


def page(seed: int, size: int = 4096) -> bytes:
    """A page that compresses, and tells its number at its start."""
    return (b"page %08d " % seed + bytes(range(seed % 50))).ljust(128, b".") * (size // 128)
