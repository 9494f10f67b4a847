# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests with Ubuntu's kernels, of which no debug package is had (lab/ubuntu.py)."""

from __future__ import annotations

from ..scenario import Scenario

SCENARIOS = (
    Scenario(
        "ubuntu", "Ubuntu 24.04's generic kernel", group="ubuntu", kernel="ubuntu", memory="1G"
    ),
    Scenario(
        "ubuntu-newer",
        "Ubuntu 26.04's generic kernel",
        group="ubuntu",
        kernel="ubuntu-newer",
        vcpus=2,
        memory="1G",
    ),
)
