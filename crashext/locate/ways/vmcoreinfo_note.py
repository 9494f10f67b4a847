# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMCOREINFO note of the dump: cheap, and true unless it is of another kernel.

QEMU copies the note from wherever the guest's firmware-config driver said (QEMU
hw/misc/vmcoreinfo.c); after a kexec or a reset it may describe the previous kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...arch.base import Proposal
from ...vmcoreinfo import parse
from ..context import Context
from .claim import claimed

SOURCE = "vmcoreinfo-note"


def propose(context: Context) -> Iterator[Proposal]:
    """What the note states, if there is one and it states a placement."""
    if context.dump.vmcoreinfo is not None:
        proposal = claimed(context, parse(context.dump.vmcoreinfo), SOURCE, None)
        if proposal is not None:
            yield proposal
