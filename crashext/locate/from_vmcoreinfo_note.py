# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMCOREINFO note of the dump: cheap, and true unless it is of another kernel.

QEMU copies the note from wherever the guest's firmware-config driver said (QEMU
hw/misc/vmcoreinfo.c); after a kexec or a reset it may describe the previous kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..vmcoreinfo import parse
from .candidate import Candidate
from .claim import claimed
from .context import Context

SOURCE = "vmcoreinfo-note"


def propose(context: Context) -> Iterator[Candidate]:
    """The candidate that the note states, if there is one and it states any."""
    if context.dump.vmcoreinfo is not None:
        candidate = claimed(context, parse(context.dump.vmcoreinfo), SOURCE, "note")
        if candidate is not None:
            yield candidate
