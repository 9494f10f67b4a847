# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the kernel in a dump: :func:`locate`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .result import Evidence, Location

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from .context import Context, Progress
    from .image import Image

__all__ = ["Evidence", "Location", "locate"]

#: A guest stopped in firmware is dumped as i386 even if its kernel is 64-bit.
_ARCHES = ("x86_64", "i386")


def locate(
    dump: Dump,
    *,
    vmlinux: str | None = None,
    use_cpu_state: bool = True,
    everything: bool = False,
    progress: Progress | None = None,
) -> Location:
    """Find the kernel in ``dump`` and check the answer against the guest's memory.

    Args:
        dump: an opened dump.
        vmlinux: path of the kernel's ELF file with symbols, if at hand.
        use_cpu_state: False ignores the vCPU registers of QEMU's notes.
        everything: search all of RAM even when the answer is certain already.
        progress: called with a description and the fraction done by long steps.

    Raises:
        SymbolFileError: the vmlinux can't be used.
    """
    from .context import Context
    from .memory import PhysMemory

    start = time.perf_counter()
    if dump.arch not in _ARCHES:
        return Location(
            dump.path, dump.arch, False, reason=f"can't search {dump.arch} dumps yet, only x86_64"
        )
    with ExitStack() as stack:
        context = Context(dump, PhysMemory(dump.read), use_cpu_state=use_cpu_state)
        if progress is not None:
            context.progress = progress
        if vmlinux is not None:
            from ..symbols.vmlinux import Vmlinux

            context.vmlinux = stack.enter_context(Vmlinux(vmlinux))
        return _location(context, everything, start)


def _location(context: Context, everything: bool, start: float) -> Location:
    from .answer import answer
    from .search import search

    images: list[Image] = search(context, everything=everything)
    return answer(context, images, lambda: time.perf_counter() - start)
