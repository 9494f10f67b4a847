# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the kernel in a dump: :func:`locate`.

``ways/`` propose where a kernel may lie, ``image/`` checks one that was proposed,
``choice/`` says which is the answer and how sure it is, ``answer/`` puts that into words;
``search`` is the course of it all. What differs between architectures is asked of
:mod:`crashext.arch`.
"""

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

__all__ = ["Evidence", "Location", "locate"]


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
        use_cpu_state: False ignores the vCPU registers of the dump's notes.
        everything: search all of RAM even when the answer is certain already.
        kernel: which of several kernels: "live", "crashed" or the ``id`` of one of
            ``kernels``, which is the same whatever was searched.
        progress: called with a description and the fraction done by long steps.

    Raises:
        SymbolFileError: the vmlinux can't be used.
    """
    from ..arch import ARCHITECTURES, architectures_of
    from .context import Context
    from .memory import PhysMemory

    answers: list[Location] = []
    for arch in architectures_of(dump.arch):
        memory = PhysMemory(dump.read, arch.byte_order, arch.word)
        context = Context(dump, memory, arch, use_cpu_state=use_cpu_state)
        if progress is not None:
            context.progress = progress
        answers.append(_locate(context, vmlinux, kernel, everything=everything))
        if answers[-1].found and context.cpus:
            return answers[-1]
    if answers:
        return _of_several(answers)
    known = ", ".join(a.name for a in ARCHITECTURES)
    reason = f"can't search {dump.arch} dumps, only {known}"
    return Location(dump.path, dump.arch, False, reason=reason)


def _of_several(answers: list[Location]) -> Location:
    """Of the answers for each architecture that the dump may be of: the only one found.

    Where none is, that which has at least met a kernel says why.
    """
    found = [answer for answer in answers if answer.found]
    if len(found) > 1:
        kernels = ", ".join(f"{a.arch} at {a.text_paddr or 0:#x}" for a in found)
        reason = f"kernels of several architectures ({kernels}) and no vCPU state to tell"
        listed = tuple(kernel for answer in found for kernel in answer.kernels)
        return Location(found[0].path, found[0].arch, False, reason=reason, kernels=listed)
    return next(iter(found or [answer for answer in answers if answer.kernels] or answers))


def _locate(
    context: Context, vmlinux: str | Sequence[str] | None, kernel: str | None, *, everything: bool
) -> Location:
    """The answer if the guest is of the context's architecture."""
    from .answer.answer import answer
    from .search import search

    start = time.perf_counter()
    with ExitStack() as stack:
        path = _one_vmlinux(context, vmlinux, kernel)
        if path is not None:
            from ..symbols.vmlinux import Vmlinux

            context.vmlinux = stack.enter_context(Vmlinux(path))
        # A kernel asked for is one of all there are.
        images = search(context, everything=everything or kernel is not None)
        return answer(context, images, lambda: time.perf_counter() - start, kernel)


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
    from .which_vmlinux import fitting

    return fitting(context, given, kernel)
