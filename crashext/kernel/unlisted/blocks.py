# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of a kernel's read-only memory, in which its tables are looked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...locate.image.identify import RODATA_MAX, read_only
from ...symbols.kallsyms import Block
from ..kernel import Kernel


class Copy(NamedTuple):
    """A copy of memory from a run-time address on."""

    vaddr: int
    block: Block


def read_only_blocks(kernel: Kernel) -> Iterator[Copy]:
    """What is mapped without the right to write, all of the image where nothing is; one by one."""
    for run in read_only(list(kernel.runs)):
        if not run.writable:
            yield Copy(run.vaddr, kernel.copy(run.vaddr, min(run.size, RODATA_MAX)))
