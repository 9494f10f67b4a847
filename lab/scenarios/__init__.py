# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests of the lab: one entry each, a module for each architecture.

A new state is a new entry there.
"""

from __future__ import annotations

from ..scenario import Scenario
from . import aarch64, captures, emulators, others, ubuntu, x86_64

SCENARIOS: tuple[Scenario, ...] = (
    *x86_64.SCENARIOS,
    *aarch64.SCENARIOS,
    *others.SCENARIOS,
    *captures.SCENARIOS,
    *emulators.SCENARIOS,
    *ubuntu.SCENARIOS,
)
