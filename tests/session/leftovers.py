# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands leave in the process of a session: descriptors, children, memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

#: Bytes that do not count: the heap of crash itself moves that much.
LITTLE = 512 << 10


def look(file: str) -> str:
    """The command of crash that writes down what there is."""
    process = "/proc/$PPID"
    return (
        f"!ls -l {process}/fd | grep -vc vmlinux > {file}; "
        f"ls -l {process}/fd | grep -c vmlinux >> {file}; "
        f"wc -w < {process}/task/$PPID/children >> {file}; "
        f"sed -n 's/^RssAnon: *//p' {process}/status >> {file}"
    )


#: Descriptors that may come and go. Each look is after dozens of commands.
FEW = 2


@dataclass(frozen=True)
class Left:
    """What ``look`` saw; its own shell and pipe are in each."""

    descriptors: int
    vmlinux: int
    children: int
    memory: int

    @classmethod
    def read(cls, file: Path) -> Self:
        descriptors, vmlinux, children, memory, _ = file.read_text().split()
        return cls(int(descriptors), int(vmlinux), int(children), int(memory) << 10)

    def shows_no_leak_since(self, before: Self) -> None:
        """Fails where something was left by each of many commands.

        gdb and Python close and open a file of their own now and then.
        """
        assert self.descriptors <= before.descriptors + FEW
        assert self.vmlinux <= before.vmlinux + 1
        assert self.children == before.children
        assert self.memory - before.memory < LITTLE
