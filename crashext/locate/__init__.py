# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the kernel in a dump: :func:`locate`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from .result import Evidence, Location

if TYPE_CHECKING:
    from ..dumps.base import Dump
    from .context import Context, Progress
    from .image import Image

__all__ = ["Evidence", "Location", "locate"]

#: A guest stopped in firmware is dumped as i386 even if its kernel is 64-bit.
#: Raw memory doesn't say what it is.
_ARCHES = ("x86_64", "i386", "unknown")


def locate(
    dump: Dump,
    *,
    vmlinux: str | Sequence[str] | None = None,
    use_cpu_state: bool = True,
    everything: bool = False,
    kernel: str | None = None,
    progress: Progress | None = None,
) -> Location:
    """Find the kernel in ``dump`` and check the answer against the guest's memory.

    Args:
        dump: an opened dump.
        vmlinux: the kernel's ELF file with symbols, if at hand; of several, or of those
            in a directory, the one that the dump's kernel was built with is taken.
        use_cpu_state: False ignores the vCPU registers of QEMU's notes.
        everything: search all of RAM even when the answer is certain already.
        kernel: which of several kernels: "live", "crashed" or an index of ``kernels``.
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
    context = Context(dump, PhysMemory(dump.read), use_cpu_state=use_cpu_state)
    if progress is not None:
        context.progress = progress
    with ExitStack() as stack:
        path = _one_vmlinux(context, vmlinux, kernel)
        if path is not None:
            from ..symbols.vmlinux import Vmlinux

            context.vmlinux = stack.enter_context(Vmlinux(path))
        # A kernel asked for by number is one of all there are.
        images = _search(context, everything=everything or kernel is not None)
        from .answer import answer

        return answer(context, images, lambda: time.perf_counter() - start, kernel)


def _search(context: Context, *, everything: bool) -> list[Image]:
    from .search import search

    return search(context, everything=everything)


def _one_vmlinux(
    context: Context, given: str | Sequence[str] | None, kernel: str | None
) -> str | None:
    """The vmlinux to use: the only one given, or the one of the dump's kernel."""
    if given is None or isinstance(given, str):
        given = [] if given is None else [given]
    if len(given) == 1 and not Path(given[0]).is_dir():
        return given[0]
    if not given:
        return None
    from ..symbols.library import matching
    from .choose import choose

    images = _search(context, everything=kernel is not None)
    image = choose(context, images, kernel).image
    return matching(given, image.build_id if image else None, image.banner if image else None)
