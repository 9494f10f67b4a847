# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared by the lab's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def samples() -> Path:
    """The directory of the committed samples."""
    return Path(__file__).parents[2] / "sample_dumps"
