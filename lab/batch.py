# SPDX-License-Identifier: GPL-3.0-or-later
"""Several scenarios in a row, a few guests at a time; one that fails does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from . import guests
from .errors import LabError
from .kernels import CACHE, get_kernel
from .scenarios import SCENARIOS, Scenario, select


def make_all(names: list[str], groups: list[str], *, jobs: int, say: Callable[[str], None]) -> int:
    """Make the named scenarios or, without names, those of the groups; 1 if any failed.

    Raises:
        LabError: a name is not known, or a kernel can't be fetched.
    """
    unknown = set(names) - {scenario.name for scenario in SCENARIOS}
    if unknown:
        raise LabError(f"no scenario {', '.join(sorted(unknown))} (see `python3 -m lab list`)")
    chosen = select(names, groups)
    CACHE.mkdir(exist_ok=True)
    for which in sorted({which for scenario in chosen for which in scenario.which_kernels}):
        get_kernel(which, say)  # before any guest starts: not twice at the same time
    start = time.monotonic()
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        failed = [name for name in pool.map(lambda s: _make(s, say), chosen) if name]
    made = len(chosen) - len(failed)
    say(f"{made} of {len(chosen)} scenarios in {guests.DUMPS} ({time.monotonic() - start:.0f} s)")
    return 1 if failed else 0


def _make(scenario: Scenario, say: Callable[[str], None]) -> str | None:
    try:
        guests.make(scenario, say)
    except LabError as error:
        say(f"{scenario.name}: FAILED: {error}")
        return scenario.name
    return None
