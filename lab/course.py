# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with a guest between power-on and the end: steps, each with a time limit."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Protocol

from .errors import LabError
from .machine import Machine

READY = "=== LAB READY running"


class Guest(Protocol):
    """What the steps work on."""

    @property
    def machine(self) -> Machine:
        """The running QEMU."""

    def listen(self) -> None:
        """Take down what the guest has said, while the memory is as it says."""

    def dump(self) -> None:
        """Take the scenario's dumps of the stopped guest."""

    def migrate(self, how: Migrate) -> None:
        """Send the guest into a file."""

    def address(self, symbol: str) -> int:
        """Where the kernel is linked to have a symbol."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on when the console has shown ``pattern`` ``count`` times."""

    pattern: str = READY
    count: int = 1
    timeout: float = 240

    def take(self, guest: Guest) -> None:
        """Wait."""
        guest.machine.wait_for(self.pattern, timeout=self.timeout, count=self.count)


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let the guest run on for a while: for states that show nothing on the console."""

    seconds: float

    def take(self, _: Guest) -> None:
        """Sleep."""
        time.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Reset:
    """Press the reset button: RAM keeps its contents."""

    def take(self, guest: Guest) -> None:
        """Reset."""
        guest.listen()
        guest.machine.qmp.execute("system_reset")


@dataclass(frozen=True, slots=True)
class RunTo:
    """Stop before a symbol's first instruction (a guest without KASLR)."""

    symbol: str
    timeout: float = 120

    def take(self, guest: Guest) -> None:
        """Run there."""
        guest.machine.run_to(guest.address(self.symbol), timeout=self.timeout)


@dataclass(frozen=True, slots=True)
class Catch:
    """Stop as soon as the monitor's "info registers" match ``pattern``."""

    pattern: str
    every: float = 0.05
    timeout: float = 60

    def take(self, guest: Guest) -> None:
        """Stop again and again until they do."""
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            guest.machine.qmp.execute("stop")
            if re.search(self.pattern, guest.machine.registers(), re.S):
                return
            guest.machine.qmp.execute("cont")
            time.sleep(self.every)
        raise LabError(f"the vCPUs never were in the wanted state in {self.timeout:.0f} s")


USER_MODE = Catch(r"CPL=3")
# 64-bit code at a low address, which the firmware of a PC never runs.
DECOMPRESSOR = Catch(r"RIP=00000000\w+.*EFER=0*500")


@dataclass(frozen=True, slots=True)
class Dump:
    """Stop the guest, take the dumps, let it run on."""

    def take(self, guest: Guest) -> None:
        """Dump."""
        guest.machine.qmp.execute("stop")
        guest.dump()
        guest.machine.qmp.execute("cont")


@dataclass(frozen=True, slots=True)
class Migrate:
    """Send the guest's memory and devices into the scenario's capture.

    Attributes:
        capabilities: QEMU's migration capabilities to set.
        rounds: so often changed memory is sent of the running guest; 0 stops it before. Of a
            running guest what is dumped then is the guest that another QEMU makes of the file:
            QEMU's translator may miss a change at the very end.
        saved: behind a header as libvirt's.
    """

    capabilities: tuple[str, ...] = ()
    rounds: int = 0
    saved: bool = False

    def take(self, guest: Guest) -> None:
        """Send it."""
        guest.migrate(self)


Step = Migrate | Wait | Sleep | Reset | RunTo | Catch | Dump
