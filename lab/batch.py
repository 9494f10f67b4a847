# SPDX-License-Identifier: GPL-3.0-or-later
"""Several dumps in a row, a few guests at a time; one that fails does not stop the rest."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from . import derived, guests
from .emulator import Emulator, qemu
from .errors import LabError, Unavailable
from .kernels import get_kernel
from .packages import CACHE, busybox
from .scenario import Scenario
from .scenarios import SCENARIOS
from .target import TARGETS, Arch, Which

Say = Callable[[str], None]


def make_all(names: list[str], groups: list[str], *, jobs: int, say: Say) -> int:
    """Make the named dumps or, without names, those of the groups; 1 if any failed.

    Raises:
        LabError: a name is not known, or a kernel can't be fetched.
    """
    follow = [d for d in derived.DERIVED if (d.name in names if names else d.group in groups)]
    wanted = {d.parent for d in follow}.union(names)
    chosen = [s for s in SCENARIOS if s.name in wanted or (not names and s.group in groups)]
    unknown = wanted - {s.name for s in chosen} - {d.name for d in follow}
    if unknown:
        raise LabError(f"no scenario {', '.join(sorted(unknown))} (see `python3 -m lab list`)")
    with alone(say):
        return _make_chosen(chosen, follow, jobs, say)


@contextmanager
def alone(say: Say) -> Iterator[None]:
    """One run of the lab at a time: two would write the same files."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run of the lab to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_chosen(
    chosen: Sequence[Scenario], follow: Sequence[derived.Derived], jobs: int, say: Say
) -> int:
    start = time.monotonic()
    left_out = _left_out(chosen, say)
    chosen = [scenario for scenario in chosen if scenario.name not in left_out]
    follow = [each for each in follow if each.parent not in left_out]
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        made = list(pool.map(lambda s: _tried(s.name, partial(guests.make, s, say), say), chosen))
    for each in follow:
        make = partial(derived.make, each, say, directory=guests.DUMPS)
        made.append(_tried(each.name, make, say))
    seconds = time.monotonic() - start
    say(f"{sum(made)} of {len(made)} states are in {guests.DUMPS} ({seconds:.0f} s)")
    return 0 if all(made) else 1


def _left_out(chosen: Sequence[Scenario], say: Say) -> set[str]:
    """The guests whose packages can't be had at the moment.

    What is needed is fetched here, before any guest starts: not twice at the same time.

    Raises:
        LabError: a package of this machine's own architecture can't be had.
    """
    needs: dict[tuple[Arch, Which], list[str]] = {}
    for scenario in chosen:
        for which in scenario.which_kernels:
            needs.setdefault((scenario.arch, which), []).append(scenario.name)
    left_out: set[str] = set()
    emulators: dict[tuple[Emulator, str], list[str]] = {}
    for scenario in chosen:
        emulators.setdefault((scenario.qemu, scenario.target.qemu), []).append(scenario.name)
    for (emulator, own), names in emulators.items():
        try:
            qemu(emulator, own, say)
        except Unavailable as error:
            say(f"left out: {', '.join(names)}: {error}")
            left_out.update(names)
    for (arch, which), names in sorted(needs.items()):
        try:
            if TARGETS[arch].busybox:
                busybox(TARGETS[arch].debian)
            get_kernel(TARGETS[arch], which, say)
        except Unavailable as error:
            say(f"left out: {', '.join(names)}: {error}")
            left_out.update(names)
    return left_out


def _tried(name: str, make: Callable[[], bool], say: Say) -> bool:
    """Whether it could be made, or was there.

    A guest under emulation on a busy machine can miss its time: one more try.
    """
    for last in (False, True):
        try:
            make()
        except LabError as error:
            say(f"{name}: FAILED: {error}" + ("" if last else "; once more"))
        else:
            return True
    return False
