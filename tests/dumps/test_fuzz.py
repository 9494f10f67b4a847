# SPDX-License-Identifier: GPL-3.0-or-later
"""A short run of what `make fuzz` does for long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fuzz.__main__ import run_random
from fuzz.seeds import SEEDS


@pytest.mark.parametrize("name", SEEDS)
def test_short_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run_random(name, 0.7, seed=time.time_ns()) > 5
